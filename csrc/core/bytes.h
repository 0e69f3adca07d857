/* Writing and reading plain bytes, through WriteVirtual and ReadVirtual. */
#ifndef PYDBGWRITE_CORE_BYTES_H
#define PYDBGWRITE_CORE_BYTES_H

#include "pointers.h"

/* What every request on bytes begins with: *error filled in. False: the request ends here. */
bool core_begin_bytes(const core_target *target, uint64_t address, uint64_t size,
                      core_error *error);

/* Writes all `size` bytes. WriteVirtual may write less than it was asked to and say S_OK: the rest
 * is then tried again from there. CORE_OK only when every byte was counted as written. */
core_status core_write_bytes(const core_target *target, uint64_t address, const unsigned char *data,
                             uint64_t size, const core_pace *pace, core_error *error);

/* Reads all `size` bytes; error->landed says after a failure how many leading ones could be. */
core_status core_read_bytes(const core_target *target, uint64_t address, unsigned char *to,
                            uint64_t size, const core_pace *pace, core_error *error);

#endif
