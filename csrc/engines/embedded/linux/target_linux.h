/* Opens a live Linux process as a target of the embedded engine. */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_LINUX_TARGET_LINUX_H
#define PYDBGWRITE_ENGINES_EMBEDDED_LINUX_TARGET_LINUX_H

#include "../target.h"
#include "opening.h"

/* Both return a target that the caller destroys, or NULL and *error. */
embedded_target *linux_attach(const linux_attach_options *options, linux_open_error *error);
embedded_target *linux_launch(const linux_launch_options *options, linux_open_error *error);

/* Suspends a process that was attached without: then it is held as one that was attached suspended.
 * For one that is suspended it does nothing. False: *error has the reason, and the process runs on.
 * If it has made an execve since it was attached, that is LINUX_OPEN_NO_PROCESS: the target is of
 * the program before. */
bool linux_suspend(embedded_target *self, const linux_waiting *waiting, linux_open_error *error);

/* Reads the text of the process's memory map as the kernel shows it, from a descriptor that is
 * bound to the attached program's memory (never that of a later program under the same pid). Gives
 * a malloc'ed, NUL-terminated text in *text. E_UNEXPECTED if that memory no longer exists. */
HRESULT linux_read_maps(embedded_target *self, char **text, size_t *length);

#endif
