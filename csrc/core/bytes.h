/* Writing and reading plain bytes by WriteVirtual and ReadVirtual. */
#ifndef PYDBGWRITE_CORE_BYTES_H
#define PYDBGWRITE_CORE_BYTES_H

#include "request.h"

/* Writes all bytes of a request that has begun. WriteVirtual may write less than asked and return
 * S_OK: the rest is then tried again from there. */
void core_write_bytes(const core_target *target, const core_request *request, const core_pace *pace,
                      core_error *error);

/* Reads all bytes. After a failure error->landed is the number of leading bytes that can be read.
 */
void core_read_bytes(const core_target *target, const core_request *request, const core_pace *pace,
                     core_error *error);

#endif
