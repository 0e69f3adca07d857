/* IDebugDataSpaces, 2 and 3 with the face of IDebugDataSpaces4. */
#ifndef PYDBGWRITE_ENGINES_WRAPPED_OLDER_DATA_SPACES_H
#define PYDBGWRITE_ENGINES_WRAPPED_OLDER_DATA_SPACES_H

#include "../../com/data_spaces.h"

/* Over an interface of version 1, 2 or 3, whose one reference is taken over. The older versions are
 * prefixes of the fourth: calls go on to it, and those behind its end answer E_NOTIMPL. NULL when
 * memory is short; then the reference is still the caller's. */
IDebugDataSpaces4 *older_data_spaces_create(void *older, unsigned int version);

#endif
