/* Sessions of Microsoft's engine: how a target is opened, waited for and left.
 *
 * The engine is one a process: all its clients share one debugging session. So one of attach,
 * launch, open_dump, attach_kernel (and attach and launch through a process server) is open at a
 * time; connections to other processes' engines (dbgeng_connect) stand beside it in any number.
 * All functions but those that say otherwise are called on the thread that then owns the session.
 */
#ifndef PYDBGWRITE_ENGINES_DBGENG_SESSIONS_H
#define PYDBGWRITE_ENGINES_DBGENG_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../com/client.h"
#include "../backing.h"

/* Why an opening failed; python/ turns it into an exception with advice. */
typedef enum dbgeng_failure {
    DBGENG_OK = 0,
    DBGENG_BUSY,          /* this process has an open session of the engine */
    DBGENG_LOST,          /* an attach_kernel of this process still waits, for good */
    DBGENG_NO_PROCESS,    /* no such process, or it ended meanwhile */
    DBGENG_OWN_PROCESS,   /* the caller's own */
    DBGENG_OTHER_BITNESS, /* a 64-bit process, and the engine is a 32-bit one */
    DBGENG_NO_TARGET,     /* connect: the server has no target that can be accessed */
    DBGENG_TIMEOUT,       /* not in time */
    DBGENG_CANCELLED,     /* keep_waiting said no */
    DBGENG_ENGINE,        /* the engine's `operation` answered hresult */
    DBGENG_SYSTEM,        /* the system's `operation` failed: os_error */
} dbgeng_failure;

typedef struct dbgeng_error {
    dbgeng_failure failure;
    HRESULT hresult;
    uint32_t os_error;     /* GetLastError(), or 0 */
    const char *operation; /* static text: the call that failed, e.g. "AttachProcess" */
} dbgeng_error;

/* Called on the opening thread about every 50 ms while it waits; false gives up. */
typedef struct dbgeng_waiting {
    bool (*keep_waiting)(void *context);
    void *context;
    uint64_t timeout_ns; /* from now; UINT64_MAX waits for ever */
} dbgeng_waiting;

typedef enum dbgeng_kind {
    DBGENG_PROCESS,
    DBGENG_DUMP,
    DBGENG_KERNEL,
    DBGENG_REMOTE, /* a client of another process's engine */
} dbgeng_kind;

struct dbgeng_job;

typedef struct dbgeng_session {
    backing base;
    dbgeng_kind kind;
    IDebugClient5 *client;  /* a reference of its own */
    uint32_t process_id;    /* 0 where there is none, or it is not known */
    HANDLE process;         /* a local process; NULL: none, or no right to ask */
    bool claimed;           /* it is the process's one session */
    struct dbgeng_job *job; /* the thread that opened a kernel or a dump */
} dbgeng_session;

typedef struct dbgeng_attach_options {
    uint64_t server; /* 0: this machine; else from dbgeng_connect_server() */
    uint32_t process_id;
    bool invasive;
    bool suspend;
    dbgeng_waiting waiting;
} dbgeng_attach_options;

typedef struct dbgeng_launch_options {
    uint64_t server;
    wchar_t *command_line;
    const wchar_t *directory; /* NULL: the caller's (the server's) */
    const wchar_t
        *environment; /* NAME=VALUE, each with its NUL, and one NUL more; NULL: inherited */
    dbgeng_waiting waiting;
} dbgeng_launch_options;

/* Each gives a session whose base.operations leave and free it, or NULL and *error; then nothing is
 * left behind, except where they say so. The engine is loaded (dbgeng_load). */
dbgeng_session *dbgeng_attach(const dbgeng_attach_options *options, dbgeng_error *error);
dbgeng_session *dbgeng_launch(const dbgeng_launch_options *options, dbgeng_error *error);

/* After DBGENG_TIMEOUT and DBGENG_CANCELLED the waiting thread stays until the engine has come
 * back; until then every later opening in this process fails with DBGENG_BUSY. */
dbgeng_session *dbgeng_open_dump(const wchar_t *path, const dbgeng_waiting *waiting,
                                 dbgeng_error *error);

/* After DBGENG_TIMEOUT and DBGENG_CANCELLED the waiting thread stays, and with it every later
 * opening in this process fails with DBGENG_LOST: WaitForEvent must wait without a limit for a
 * kernel, and can't be relied on to be interrupted. */
dbgeng_session *dbgeng_attach_kernel(const wchar_t *options, const dbgeng_waiting *waiting,
                                     dbgeng_error *error);

/* Options as those of DebugConnect: "tcp:server=host,port=5005". */
dbgeng_session *dbgeng_connect(const wchar_t *options, const dbgeng_waiting *waiting,
                               dbgeng_error *error);

/* A process server's handle for the options above; 0 and *error. Disconnect from any thread. */
uint64_t dbgeng_connect_server(const wchar_t *options, const dbgeng_waiting *waiting,
                               dbgeng_error *error);
HRESULT dbgeng_disconnect_server(uint64_t server);

/* Being a server for other processes' dbgeng_connect(): started, and ended again. Ending does
 * nothing where none was started. */
HRESULT dbgeng_start_server(IDebugClient5 *client, const wchar_t *options);
HRESULT dbgeng_end_servers(IDebugClient5 *client);

/* One module of the target, as the engine knows it: its file, the name that its symbols go by
 * ("libstdc___6" for libstdc++-6.dll), and what the linker put into its header. */
typedef struct dbgeng_module {
    uint64_t base;
    uint32_t size;
    uint32_t timestamp;
    const wchar_t *path;
    const wchar_t *name;
} dbgeng_module;

/* Takes a module; false stops. */
typedef bool (*dbgeng_module_taker)(void *context, const dbgeng_module *module);

/* Gives all loaded modules to `take`. S_OK, or what the engine said. */
HRESULT dbgeng_modules(IDebugClient5 *client, dbgeng_module_taker take, void *context);

/* The address of "module!symbol". S_FALSE: there are several, and this is one of them. */
HRESULT dbgeng_symbol(IDebugClient5 *client, const wchar_t *name, uint64_t *address);

/* Takes a symbol, "module!symbol"; false stops. */
typedef bool (*dbgeng_symbol_taker)(void *context, const wchar_t *name, uint64_t address);

/* Gives the symbols that match a pattern such as "module!*" to `take`. S_OK, or what the engine
 * said. */
HRESULT dbgeng_symbols(IDebugClient5 *client, const wchar_t *pattern, dbgeng_symbol_taker take,
                       void *context);

#endif
