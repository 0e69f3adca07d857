/* The embedded engine's IPointerScatter. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_SCATTER_H
#define PYDBGWRITE_ENGINES_EMBEDDED_SCATTER_H

#include "../../com/pointer_scatter.h"

extern const IPointerScatterVtbl embedded_scatter_vtbl;

#endif
