/* Is the target's program a 32-bit one? From its modules, or from the system.
 *
 * A 64-bit engine attached noninvasively to a 32-bit (WOW64) process says IsPointer64Bit = S_OK,
 * and WritePointersVirtual would write 8-byte pointers there (docs/engine.md). Its effective
 * processor must be set: "determines whether the process uses 32-bit or 64-bit pointers"
 * (MicrosoftDocs/windows-driver-docs, -effmach--effective-machine-.md).
 */
#include "width.h"

#include <string.h>
#include <wchar.h>

#include "../../com/control.h"
#include "../../com/data_spaces.h"
#include "../../com/hresult.h"
#include "../../com/iids.h"
#include "symbols.h"

/* What the modules tell of the program. */
typedef struct program {
    IDebugDataSpaces4 *spaces;
    uint32_t machine; /* of the module that is a program and no library */
    bool wow64;       /* wow64.dll is there: a 32-bit program on a 64-bit system */
} program;

static bool read_all(IDebugDataSpaces4 *spaces, uint64_t offset, void *to, ULONG size)
{
    ULONG read = 0;

    return spaces->lpVtbl->ReadVirtual(spaces, offset, to, size, &read) == S_OK && read == size;
}

static bool is_wow64_name(const wchar_t *path)
{
    const wchar_t *name = wcsrchr(path, L'\\');

    name = name == NULL ? path : name + 1;
    return lstrcmpiW(name, L"wow64.dll") == 0 || lstrcmpiW(name, L"wow64") == 0;
}

/* "PE Format" (learn.microsoft.com): e_lfanew at 0x3c; "PE\0\0", machine, and 18 bytes behind that
 * the characteristics. */
static bool look_at_module(void *context, const dbgeng_module *module)
{
    program *found = context;
    uint32_t offset = 0;
    unsigned char header[24];

    if (is_wow64_name(module->path)) {
        found->wow64 = true;
    }
    if (found->machine == IMAGE_FILE_MACHINE_UNKNOWN &&
        read_all(found->spaces, module->base + 0x3c, &offset, sizeof offset) &&
        offset < module->size &&
        read_all(found->spaces, module->base + offset, header, sizeof header) &&
        memcmp(header, "PE\0\0", 4) == 0 &&
        ((header[22] | header[23] << 8) & IMAGE_FILE_DLL) == 0) {
        found->machine = header[4] | (uint32_t)header[5] << 8;
    }
    return true;
}

/* The 32-bit machine that the program runs on by its modules, or IMAGE_FILE_MACHINE_UNKNOWN. A
 * program for any processor (.NET) says 0x14c and runs as a 64-bit one: hence the look at
 * wow64.dll. */
static uint32_t guest_by_modules(IDebugClient5 *client)
{
    program found = {NULL, IMAGE_FILE_MACHINE_UNKNOWN, false};
    void *spaces = NULL;
    bool guest = false;

    if (client->lpVtbl->QueryInterface(client, &iid_debug_data_spaces4, &spaces) == S_OK) {
        found.spaces = spaces;
        if (dbgeng_modules(client, look_at_module, &found) == S_OK) {
            guest = found.wow64 && (found.machine == IMAGE_FILE_MACHINE_I386 ||
                                    found.machine == IMAGE_FILE_MACHINE_ARMNT);
        }
        (void)found.spaces->lpVtbl->Release(found.spaces);
    }
    return guest ? found.machine : IMAGE_FILE_MACHINE_UNKNOWN;
}

typedef BOOL(WINAPI *is_wow64_process2)(HANDLE process, USHORT *guest, USHORT *native);

/* The same by the system, for a process of this machine. IsWow64Process2 also knows which 32-bit
 * machine it is; it is there since Windows 10, 1511. */
static uint32_t guest_by_system(HANDLE process)
{
    HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
    is_wow64_process2 newer = NULL;
    USHORT guest = 0, native = 0;
    BOOL wow64 = FALSE;
    uint32_t machine = IMAGE_FILE_MACHINE_UNKNOWN;

    if (kernel != NULL) {
        newer = (is_wow64_process2)(void (*)(void))GetProcAddress(kernel, "IsWow64Process2");
    }
    if (newer != NULL && newer(process, &guest, &native)) {
        machine = guest;
    } else if (IsWow64Process(process, &wow64) && wow64) {
        machine = IMAGE_FILE_MACHINE_I386;
    }
    return machine;
}

bool dbgeng_settle_width(IDebugClient5 *client, HANDLE process, dbgeng_error *error)
{
    void *found = NULL;
    IDebugControl *control = NULL;
    ULONG class = 0, qualifier = 0;
    uint32_t guest = IMAGE_FILE_MACHINE_UNKNOWN;
    HRESULT status = client->lpVtbl->QueryInterface(client, &iid_debug_control, &found);
    const char *operation = "QueryInterface(IDebugControl)";

    if (status != S_OK) {
        goto done;
    }
    control = found;
    operation = "IsPointer64Bit";
    status = control->lpVtbl->IsPointer64Bit(control);
    if (status == S_OK && control->lpVtbl->GetDebuggeeType(control, &class, &qualifier) == S_OK &&
        class == DEBUG_CLASS_USER_WINDOWS) {
        guest = process != NULL ? guest_by_system(process) : guest_by_modules(client);
    }
    if (status == S_OK && guest != IMAGE_FILE_MACHINE_UNKNOWN) {
        operation = "SetEffectiveProcessorType";
        status = control->lpVtbl->SetEffectiveProcessorType(control, guest);
    } else if (status == S_FALSE) {
        status = S_OK;
    }
    (void)control->lpVtbl->Release(control);
done:
    return status == S_OK ? true : dbgeng_fail_engine(error, operation, status);
}
