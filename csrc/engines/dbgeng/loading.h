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
    DBGENG_LOAD_FILE,     /* no dbgeng.dll in it, or it can't be opened: os_error */
    DBGENG_LOAD_PROGRAM,  /* the file is no program library (PE): empty, cut off, something else */
    DBGENG_LOAD_BITNESS,  /* made for `machine`, and this Python for `own_machine` */
    DBGENG_LOAD_SIBLING,  /* `file` (dbghelp.dll) could not be loaded: os_error */
    DBGENG_LOAD_LIBRARY,  /* dbgeng.dll could not be loaded: os_error */
    DBGENG_LOAD_FUNCTION, /* it has no DebugCreate */
    DBGENG_LOAD_OTHER,    /* this process already has the engine `file` */
} dbgeng_load_failure;

typedef struct dbgeng_load_error {
    dbgeng_load_failure failure;
    uint32_t os_error; /* GetLastError(), or 0 */
    uint32_t machine, own_machine;
    wchar_t file[DBGENG_PATH]; /* the file it is about */
    /* Siblings that this process had already loaded from other folders; "" where none. */
    wchar_t mixed[DBGENG_SIBLINGS][DBGENG_PATH];
} dbgeng_load_error;

typedef HRESULT(STDMETHODCALLTYPE *dbgeng_create_call)(const GUID *interface_id, void **result);
typedef HRESULT(STDMETHODCALLTYPE *dbgeng_connect_call)(const wchar_t *options,
                                                        const GUID *interface_id, void **result);

typedef struct dbgeng_engine {
    dbgeng_create_call create;
    dbgeng_connect_call connect; /* NULL: an engine without DebugConnectWide */
    wchar_t file[DBGENG_PATH];
    uint32_t version[4]; /* of the file, e.g. 10, 0, 15063, 400; zeros where it says none */
} dbgeng_engine;

/* Loads the engine of `folder`, an absolute path. Loading the one that is loaded already is fine.
 * False: *error. `error->mixed` is filled in after a success too. */
bool dbgeng_load(const wchar_t *folder, dbgeng_load_error *error);

/* The engine of this process; NULL where none was loaded. */
const dbgeng_engine *dbgeng_loaded(void);

/* The file and version of the library that has code at `address`; false where none has. `file`
 * holds DBGENG_PATH characters. */
bool dbgeng_file_of(uintptr_t address, wchar_t *file, uint32_t *version);

#endif
