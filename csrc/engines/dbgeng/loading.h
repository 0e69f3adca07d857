/* Microsoft's dbgeng.dll: checked, loaded from one absolute folder, and kept.
 *
 * A process has one engine: once loaded it stays, and another folder is refused. Nothing here is
 * loaded before dbgeng_load() is called.
 */
#ifndef PYDBGWRITE_ENGINES_DBGENG_LOADING_H
#define PYDBGWRITE_ENGINES_DBGENG_LOADING_H

#include <stdbool.h>
#include <stdint.h>

#include "../../com/types.h"

/* Characters of a path, its NUL included; longer ones are refused. */
#define DBGENG_PATH 1024

/* dbghelp.dll, dbgcore.dll, dbgmodel.dll. */
#define DBGENG_SIBLINGS 3

typedef enum dbgeng_load_failure {
    DBGENG_LOAD_OK = 0,
    DBGENG_LOAD_PATH,     /* not an absolute path, or too long */
    DBGENG_LOAD_FOLDER,   /* no such folder: os_error */
    DBGENG_LOAD_FILE,     /* no dbgeng.dll in it, or `file` can't be opened: os_error */
    DBGENG_LOAD_PROGRAM,  /* `file` is no program library (PE): empty, cut off, another format */
    DBGENG_LOAD_BITNESS,  /* `file` is made for `machine`, and this Python for `own_machine` */
    DBGENG_LOAD_SIBLING,  /* `file` (dbghelp.dll) could not be loaded: os_error */
    DBGENG_LOAD_LIBRARY,  /* dbgeng.dll could not be loaded: os_error */
    DBGENG_LOAD_FUNCTION, /* it has no DebugCreate */
    DBGENG_LOAD_OTHER,    /* this process has already loaded the engine `file` */
} dbgeng_load_failure;

typedef struct dbgeng_load_error {
    dbgeng_load_failure failure;
    uint32_t os_error; /* GetLastError(), or 0 */
    uint32_t machine, own_machine;
    wchar_t file[DBGENG_PATH]; /* the file of the failure */
    /* Siblings that this process had already loaded from other folders; "" if there are none. */
    wchar_t mixed[DBGENG_SIBLINGS][DBGENG_PATH];
} dbgeng_load_error;

typedef HRESULT(STDMETHODCALLTYPE *dbgeng_create_call)(const GUID *interface_id, void **result);
typedef HRESULT(STDMETHODCALLTYPE *dbgeng_connect_call)(const wchar_t *options,
                                                        const GUID *interface_id, void **result);

typedef struct dbgeng_engine {
    dbgeng_create_call create;
    dbgeng_connect_call connect; /* NULL: an engine without DebugConnectWide */
    wchar_t file[DBGENG_PATH];
    uint32_t version[4]; /* of the file, e.g. 10, 0, 15063, 400; zeros if it has none */
} dbgeng_engine;

/* Loads the engine of `folder`, an absolute path. Loading an engine again succeeds. False: *error.
 * `error->mixed` is filled in after a success too. */
bool dbgeng_load(const wchar_t *folder, dbgeng_load_error *error);

/* Returns the engine of this process; NULL if none was loaded. */
const dbgeng_engine *dbgeng_loaded(void);

/* Gets the file and version of the library that has code at `address`; false if none has. `file`
 * holds DBGENG_PATH characters. */
bool dbgeng_file_of(uintptr_t address, wchar_t *file, uint32_t *version);

#endif
