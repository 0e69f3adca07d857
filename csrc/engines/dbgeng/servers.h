/* Process servers, and being a server for other processes' connections. */
#ifndef PYDBGWRITE_ENGINES_DBGENG_SERVERS_H
#define PYDBGWRITE_ENGINES_DBGENG_SERVERS_H

#include "../../com/client.h"
#include "waiting.h"

/* Starts a server for other processes' dbgeng_connect(), and ends all servers that were started.
 * Ending does nothing if none was started. */
HRESULT dbgeng_start_server(IDebugClient5 *client, const wchar_t *options);
HRESULT dbgeng_end_servers(IDebugClient5 *client);

/* Returns a process server's handle, for attach and launch there; 0 and *error. Disconnect from any
 * thread. */
uint64_t dbgeng_connect_server(const wchar_t *options, const dbgeng_waiting *waiting,
                               dbgeng_error *error);
HRESULT dbgeng_disconnect_server(uint64_t server);

/* Finds the ids of the processes of a process server's machine, `room` at most; *count is how many
 * there are. */
HRESULT dbgeng_running_ids(uint64_t server, ULONG *ids, ULONG room, ULONG *count);

/* Finds the file name of the program that one of them runs. */
HRESULT dbgeng_running_program(uint64_t server, uint32_t process_id, wchar_t *program, ULONG size);

/* Asks a process server a question, on a separate thread: AttachProcess and CreateProcess wait
 * without a limit for a server that does not answer. After DBGENG_TIMEOUT and DBGENG_CANCELLED the
 * thread stays until the engine has returned; until then every opening fails with DBGENG_BUSY. */
bool dbgeng_server_answers(uint64_t server, const dbgeng_waiting *waiting, dbgeng_error *error);

#endif
