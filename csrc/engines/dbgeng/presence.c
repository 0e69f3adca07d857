/* Checks whether the target of a session of Microsoft's engine and its server still exist, and
 * whether the target is the caller itself.
 *
 * The engine does not notice the end of a process that it has not attached to invasively, and
 * returns S_OK for many calls then. Here the system reports the end; behind a server only the
 * engine can be asked, by GetExitCode, which is S_FALSE as long as the process runs
 * (docs/engine.md).
 */
#include "presence.h"

#include <wchar.h>

#include "../../com/advanced.h"
#include "../../com/control.h"
#include "../../com/hresult.h"
#include "../../com/iids.h"
#include "../../com/system_objects.h"

/* dbgeng.h */
#define DEBUG_PROC_DESC_DEFAULT 0u

#define TEXT_SIZE 1024u

/* Returns whether the status means a lost server. winerror.h: HRESULTs of COM and RPC (0x8001xxxx),
 * and the system's numbers of RPC and of sockets (1700 to 1999, 10000 to 11999). */
static bool server_lost(HRESULT status)
{
    uint32_t code = (uint32_t)status;
    uint32_t number = code & 0xFFFFu;
    bool lost = code >> 16 == 0x8001u;

    if (code >> 16 == 0x8007u) {
        lost = (number >= 1700u && number < 2000u) || (number >= 10000u && number < 12000u);
    }
    return lost;
}

uint32_t dbgeng_current_process(IDebugClient5 *client)
{
    void *found = NULL;
    ULONG process_id = 0;

    if (client->lpVtbl->QueryInterface(client, &iid_debug_system_objects, &found) == S_OK) {
        IDebugSystemObjects *objects = found;

        if (objects->lpVtbl->GetCurrentProcessSystemId(objects, &process_id) != S_OK) {
            process_id = 0;
        }
        (void)objects->lpVtbl->Release(objects);
    }
    return process_id;
}

static HRESULT thread_created(IDebugClient5 *client, uint64_t *created)
{
    DEBUG_THREAD_BASIC_INFORMATION thread = {0};
    void *found = NULL;
    HRESULT status = client->lpVtbl->QueryInterface(client, &iid_debug_advanced2, &found);

    if (status == S_OK) {
        IDebugAdvanced2 *advanced = found;

        status = advanced->lpVtbl->GetSystemObjectInformation(
            advanced, DEBUG_SYSOBJINFO_THREAD_BASIC_INFORMATION, 0, 0, &thread, sizeof thread,
            NULL);
        (void)advanced->lpVtbl->Release(advanced);
        if (status == S_OK && (thread.Valid & DEBUG_TBINFO_TIMES) == 0) {
            status = E_NOTIMPL;
        }
    }
    *created = thread.CreateTime;
    return status;
}

static HRESULT process_up(IDebugClient5 *client, uint32_t *seconds)
{
    ULONG up = 0;
    void *found = NULL;
    HRESULT status = client->lpVtbl->QueryInterface(client, &iid_debug_system_objects2, &found);

    if (status == S_OK) {
        IDebugSystemObjects2 *objects = found;

        status = objects->lpVtbl->GetCurrentProcessUpTime(objects, &up);
        (void)objects->lpVtbl->older.Release(found);
    }
    *seconds = up;
    return status;
}

static HRESULT time_there(IDebugClient5 *client, uint32_t *seconds)
{
    ULONG now = 0;
    void *found = NULL;
    HRESULT status = client->lpVtbl->QueryInterface(client, &iid_debug_control2, &found);

    if (status == S_OK) {
        IDebugControl2 *control = found;

        status = control->lpVtbl->GetCurrentTimeDate(control, &now);
        (void)control->lpVtbl->older.Release(found);
    }
    *seconds = now;
    return status;
}

HRESULT dbgeng_ask_life(IDebugClient5 *client, dbgeng_life *life, const char **method)
{
    HRESULT status;

    *method = "GetSystemObjectInformation";
    status = thread_created(client, &life->thread);
    if (status == S_OK) {
        *method = "GetCurrentTimeDate";
        status = time_there(client, &life->now);
    }
    if (status == S_OK) {
        *method = "GetCurrentProcessUpTime";
        status = process_up(client, &life->up);
    }
    return status;
}

bool dbgeng_process_ended(HANDLE process)
{
    return process != NULL && WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
}

bool dbgeng_is_this_process(IDebugClient5 *client, uint64_t server)
{
    static const wchar_t mark[] = L"Command Line: ";
    wchar_t program[TEXT_SIZE] = L"", text[TEXT_SIZE] = L"";
    ULONG needed = 0, needed_text = 0;
    const wchar_t *line;
    bool same = false;
    /* S_FALSE: cut to the size of the buffers. */
    HRESULT status = client->lpVtbl->GetRunningProcessDescriptionWide(
        client, server, GetCurrentProcessId(), DEBUG_PROC_DESC_DEFAULT, program, TEXT_SIZE, &needed,
        text, TEXT_SIZE, &needed_text);

    text[TEXT_SIZE - 1] = L'\0';
    if (status == S_OK || status == S_FALSE) {
        line = wcsstr(text, mark);
        if (line != NULL) {
            line += wcslen(mark);
            same = line[0] != L'\0' && wcsncmp(line, GetCommandLineW(), wcslen(line)) == 0;
        }
    }
    return same;
}

/* Asks the engine. A target that is no live process of Windows has no end that the engine would
 * report. */
static backing_gone gone_by_engine(IDebugClient5 *client)
{
    backing_gone gone = BACKING_THERE;
    IDebugControl *control = NULL;
    void *found = NULL;
    ULONG class = 0, qualifier = 0, code = 0;
    HRESULT status = client->lpVtbl->QueryInterface(client, &iid_debug_control, &found);

    if (status == S_OK) {
        control = found;
        status = control->lpVtbl->GetDebuggeeType(control, &class, &qualifier);
        (void)control->lpVtbl->Release(control);
    }
    if (status == S_OK && class == DEBUG_CLASS_USER_WINDOWS &&
        qualifier < DEBUG_USER_WINDOWS_SMALL_DUMP) {
        status = client->lpVtbl->GetExitCode(client, &code);
        gone = status == S_OK ? BACKING_TARGET_GONE : BACKING_THERE;
    }
    return server_lost(status) ? BACKING_SERVER_GONE : gone;
}

backing_gone dbgeng_gone(IDebugClient5 *client, HANDLE process)
{
    backing_gone gone = BACKING_THERE;

    if (process != NULL) {
        gone = dbgeng_process_ended(process) ? BACKING_TARGET_GONE : BACKING_THERE;
    } else if (client != NULL) {
        gone = gone_by_engine(client);
    }
    return gone;
}
