/* Attaching to a process, and launching one, here or at a process server. */
#ifndef PYDBGWRITE_ENGINES_DBGENG_OPEN_PROCESS_H
#define PYDBGWRITE_ENGINES_DBGENG_OPEN_PROCESS_H

#include "session.h"

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

/* Each returns a session, or NULL and *error; then nothing is left behind. The engine is loaded
 * (dbgeng_load). */
dbgeng_session *dbgeng_attach(const dbgeng_attach_options *options, dbgeng_error *error);
dbgeng_session *dbgeng_launch(const dbgeng_launch_options *options, dbgeng_error *error);

#endif
