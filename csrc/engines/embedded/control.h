/* The embedded engine's IDebugControl. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_CONTROL_H
#define PYDBGWRITE_ENGINES_EMBEDDED_CONTROL_H

#include "../../com/control.h"

extern const IDebugControlVtbl embedded_control_vtbl;

#endif
