/* The embedded engine's IDebugDataSpaces4. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_DATA_SPACES_H
#define PYDBGWRITE_ENGINES_EMBEDDED_DATA_SPACES_H

#include "../../com/data_spaces.h"

extern const IDebugDataSpaces4Vtbl embedded_data_spaces_vtbl;

#endif
