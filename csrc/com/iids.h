/* The interface ids (IIDs) that the project asks for or answers to.
 *
 * Values: Microsoft's dbgeng.h, as in MicrosoftDocs/windows-driver-docs-ddi and mingw-w64's
 * public domain dbgeng.h.
 */
#ifndef PYDBGWRITE_COM_IIDS_H
#define PYDBGWRITE_COM_IIDS_H

#include <stdbool.h>

#include "types.h"

/* Named iid_... and not IID_..., so that no import library of a Windows SDK can define them too. */
extern const GUID iid_unknown;
extern const GUID iid_debug_advanced2;
extern const GUID iid_debug_client;
extern const GUID iid_debug_client5;
extern const GUID iid_debug_control;
extern const GUID iid_debug_control2;
extern const GUID iid_debug_data_spaces;
extern const GUID iid_debug_data_spaces2;
extern const GUID iid_debug_data_spaces3;
extern const GUID iid_debug_data_spaces4;
extern const GUID iid_pointer_scatter; /* the project's own; see pointer_scatter.h */
extern const GUID iid_debug_symbols3;
extern const GUID iid_debug_system_objects;
extern const GUID iid_debug_system_objects2;

bool iid_equal(const GUID *one, const GUID *other);

#endif
