/* Finds how wide the pointers of the target's program are, from its modules or from the system.
 *
 * Engines err in both directions (docs/engine.md). 10.0.15063, attached noninvasively to a 32-bit
 * (WOW64) process, returns IsPointer64Bit = S_OK, and WritePointersVirtual would write 8-byte
 * pointers there; 6.3.9600, attached to a 64-bit process, returns S_FALSE and would write 4-byte
 * ones. So the effective processor is set: it "determines whether the process uses 32-bit or 64-bit
 * pointers" (MicrosoftDocs/windows-driver-docs, -effmach--effective-machine-.md).
 */
#include "width.h"

#include <string.h>
#include <wchar.h>

#include "../../com/control.h"
#include "../../com/data_spaces.h"
#include "../../com/hresult.h"
#include "../../com/iids.h"
#include "symbols.h"

/* Facts about the program, from its modules. */
typedef struct program {
    IDebugDataSpaces4 *spaces;
    uint32_t machine; /* of the module that is a program and not a library */
    uint32_t system;  /* of the first ntdll.dll: of a native process the machine that it runs on */
    bool wow64;       /* wow64.dll is loaded: a 32-bit program on a 64-bit system */
} program;

static bool read_all(IDebugDataSpaces4 *spaces, uint64_t offset, void *to, ULONG size)
{
    ULONG read = 0;

    return spaces->lpVtbl->ReadVirtual(spaces, offset, to, size, &read) == S_OK && read == size;
}

/* Returns whether the module has that name. Engines give its path, or its name without the
 * extension. */
static bool is_named(const wchar_t *path, const wchar_t *file, const wchar_t *module)
{
    const wchar_t *name = wcsrchr(path, L'\\');

    name = name == NULL ? path : name + 1;
    return lstrcmpiW(name, file) == 0 || lstrcmpiW(name, module) == 0;
}

/* "PE Format" (learn.microsoft.com): e_lfanew at 0x3c; "PE\0\0", machine, and 18 bytes behind that
 * the characteristics. */
static bool look_at_module(void *context, const dbgeng_module *module)
{
    program *found = context;
    bool system = is_named(module->path, L"ntdll.dll", L"ntdll");
    uint32_t offset = 0;
    unsigned char header[24];

    found->wow64 = found->wow64 || is_named(module->path, L"wow64.dll", L"wow64");
    if (read_all(found->spaces, module->base + 0x3c, &offset, sizeof offset) &&
        offset < module->size &&
        read_all(found->spaces, module->base + offset, header, sizeof header) &&
        memcmp(header, "PE\0\0", 4) == 0) {
        uint32_t machine = header[4] | (uint32_t)header[5] << 8;
        bool library = ((header[22] | header[23] << 8) & IMAGE_FILE_DLL) != 0;

        if (system && found->system == IMAGE_FILE_MACHINE_UNKNOWN) {
            found->system = machine;
        } else if (!library && found->machine == IMAGE_FILE_MACHINE_UNKNOWN) {
            found->machine = machine;
        }
    }
    return true;
}

/* Returns the machine that the program runs on, from its modules, or IMAGE_FILE_MACHINE_UNKNOWN. A
 * program for any processor (.NET) has 0x14c in its header and runs as a 64-bit one: so wow64.dll
 * and ntdll.dll are checked too. */
static uint32_t machine_by_modules(IDebugClient5 *client)
{
    program found = {NULL, IMAGE_FILE_MACHINE_UNKNOWN, IMAGE_FILE_MACHINE_UNKNOWN, false};
    void *spaces = NULL;
    uint32_t machine = IMAGE_FILE_MACHINE_UNKNOWN;

    if (client->lpVtbl->QueryInterface(client, &iid_debug_data_spaces4, &spaces) == S_OK) {
        found.spaces = spaces;
        if (dbgeng_modules(client, look_at_module, &found) == S_OK) {
            machine = found.wow64 ? found.machine : found.system;
        }
        (void)found.spaces->lpVtbl->Release(found.spaces);
    }
    return machine;
}

typedef BOOL(WINAPI *is_wow64_process2)(HANDLE process, USHORT *guest, USHORT *native);

/* Returns the same from the system, for a process of this machine. IsWow64Process2 also reports
 * which 32-bit machine it is; it exists since Windows 10, 1511. */
static uint32_t machine_by_system(HANDLE process)
{
    HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
    is_wow64_process2 newer = NULL;
    USHORT guest = 0, native = 0;
    BOOL wow64 = FALSE;
    SYSTEM_INFO info;

    if (kernel != NULL) {
        newer = (is_wow64_process2)(void (*)(void))GetProcAddress(kernel, "IsWow64Process2");
    }
    if (newer != NULL && newer(process, &guest, &native)) {
        return guest != IMAGE_FILE_MACHINE_UNKNOWN ? guest : native;
    }
    if (!IsWow64Process(process, &wow64)) {
        return IMAGE_FILE_MACHINE_UNKNOWN;
    }
    GetNativeSystemInfo(&info);
    if (!wow64 && info.wProcessorArchitecture == PROCESSOR_ARCHITECTURE_AMD64) {
        return IMAGE_FILE_MACHINE_AMD64;
    }
    return IMAGE_FILE_MACHINE_I386;
}

static bool is_64_bit(uint32_t machine)
{
    return machine == IMAGE_FILE_MACHINE_AMD64 || machine == IMAGE_FILE_MACHINE_ARM64;
}

static bool is_32_bit(uint32_t machine)
{
    return machine == IMAGE_FILE_MACHINE_I386 || machine == IMAGE_FILE_MACHINE_ARMNT;
}

/* Sets the effective processor if the engine's pointers are not as wide as the machine's, and asks
 * again. *operation is the call that failed. */
static HRESULT agree_on(IDebugControl *control, uint32_t machine, const char **operation)
{
    bool wide = is_64_bit(machine);
    HRESULT status;

    *operation = "IsPointer64Bit";
    status = control->lpVtbl->IsPointer64Bit(control);
    if ((status != S_OK && status != S_FALSE) || (!wide && !is_32_bit(machine)) ||
        (status == S_OK) == wide) {
        return status == S_FALSE ? S_OK : status;
    }
    *operation = "SetEffectiveProcessorType";
    status = control->lpVtbl->SetEffectiveProcessorType(control, machine);
    if (status == S_OK) {
        *operation = "IsPointer64Bit, after SetEffectiveProcessorType";
        status = control->lpVtbl->IsPointer64Bit(control);
        if (status == S_OK || status == S_FALSE) {
            status = (status == S_OK) == wide ? S_OK : E_FAIL;
        }
    }
    return status;
}

bool dbgeng_settle_width(IDebugClient5 *client, HANDLE process, dbgeng_error *error)
{
    void *found = NULL;
    IDebugControl *control = NULL;
    ULONG class = 0, qualifier = 0;
    uint32_t machine = IMAGE_FILE_MACHINE_UNKNOWN;
    const char *operation = "QueryInterface(IDebugControl)";
    HRESULT status = client->lpVtbl->QueryInterface(client, &iid_debug_control, &found);

    if (status == S_OK) {
        control = found;
        if (control->lpVtbl->GetDebuggeeType(control, &class, &qualifier) == S_OK &&
            class == DEBUG_CLASS_USER_WINDOWS) {
            machine = process != NULL ? machine_by_system(process) : machine_by_modules(client);
        }
        status = agree_on(control, machine, &operation);
        (void)control->lpVtbl->Release(control);
    }
    return status == S_OK ? true : dbgeng_fail_engine(error, operation, status);
}
