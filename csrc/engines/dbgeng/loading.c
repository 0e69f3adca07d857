/* Loading Microsoft's engine; see loading.h.
 *
 * The rules and their reasons are in docs/engine.md: an absolute folder and nothing else (no
 * current folder, no PATH, no SetDllDirectory, which would change the whole process); dbghelp.dll
 * and its siblings from the same folder first, since the first loaded copy serves all; and no
 * FreeLibrary, since the engine leaves threads behind.
 */
#include "loading.h"

#include <string.h>
#include <wchar.h>

#include <winver.h>

#if defined(_M_ARM64) || defined(__aarch64__)
#define OWN_MACHINE IMAGE_FILE_MACHINE_ARM64
#elif defined(_M_X64) || defined(__x86_64__)
#define OWN_MACHINE IMAGE_FILE_MACHINE_AMD64
#else
#define OWN_MACHINE IMAGE_FILE_MACHINE_I386
#endif

/* LoadLibraryExW, in the documentation of its dwFlags. */
#define SEARCH_FLAGS (0x00000100u | 0x00000800u) /* DLL_LOAD_DIR | SYSTEM32 */

static const wchar_t *const sibling_names[DBGENG_SIBLINGS] = {L"dbghelp.dll", L"dbgcore.dll",
                                                              L"dbgmodel.dll"};

static SRWLOCK loading = SRWLOCK_INIT;
static dbgeng_engine engine;
static bool loaded;

const dbgeng_engine *dbgeng_loaded(void)
{
    const dbgeng_engine *found = NULL;

    AcquireSRWLockShared(&loading);
    found = loaded ? &engine : NULL;
    ReleaseSRWLockShared(&loading);
    return found;
}

static bool fail(dbgeng_load_error *error, dbgeng_load_failure failure, uint32_t os_error)
{
    error->failure = failure;
    error->os_error = os_error;
    return false;
}

/* folder + "\" + name; false if it is too long. */
static bool join(wchar_t *path, const wchar_t *folder, const wchar_t *name)
{
    size_t length = wcslen(folder);
    bool good = length > 0 && length + wcslen(name) + 2 <= DBGENG_PATH;

    if (good) {
        memcpy(path, folder, (length + 1) * sizeof *path);
        if (path[length - 1] != L'\\') {
            path[length++] = L'\\';
        }
        memcpy(path + length, name, (wcslen(name) + 1) * sizeof *path);
    }
    return good;
}

/* "C:\..." or "\\server\share\...": the form with backslashes that LoadLibraryExW's search flags
 * need. */
static bool is_absolute(const wchar_t *folder)
{
    bool drive =
        ((folder[0] >= L'A' && folder[0] <= L'Z') || (folder[0] >= L'a' && folder[0] <= L'z')) &&
        folder[1] == L':' && folder[2] == L'\\';

    return drive || (folder[0] == L'\\' && folder[1] == L'\\');
}

static bool read_at(HANDLE file, uint32_t offset, void *to, DWORD size)
{
    DWORD read = 0;

    return SetFilePointer(file, (LONG)offset, NULL, FILE_BEGIN) != INVALID_SET_FILE_POINTER &&
           ReadFile(file, to, size, &read, NULL) && read == size;
}

/* Returns the machine that a PE file was made for, from its headers ("PE Format",
 * learn.microsoft.com): "MZ", at 0x3c the offset of "PE\0\0", and the machine behind that. 0: no PE
 * file. */
static uint32_t machine_of(HANDLE file)
{
    unsigned char start[64], header[6];
    uint32_t machine = 0, offset = 0;

    if (read_at(file, 0, start, sizeof start) && start[0] == 'M' && start[1] == 'Z') {
        memcpy(&offset, start + 0x3c, sizeof offset);
        if (offset < 0x10000000u && read_at(file, offset, header, sizeof header) &&
            memcmp(header, "PE\0\0", 4) == 0) {
            machine = header[4] | (uint32_t)header[5] << 8;
        }
    }
    return machine;
}

/* Checks that the file exists and was made for this Python; else it is the file of the failure.
 * LoadLibraryExW reports the same, less clearly. */
static bool check_file(const wchar_t *path, dbgeng_load_error *error)
{
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL,
                              OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    bool good = true;

    if (file == INVALID_HANDLE_VALUE) {
        good = fail(error, DBGENG_LOAD_FILE, GetLastError());
    } else {
        error->machine = machine_of(file);
        CloseHandle(file);
        if (error->machine == 0) {
            good = fail(error, DBGENG_LOAD_PROGRAM, 0);
        } else if (error->machine != OWN_MACHINE && !(error->machine == IMAGE_FILE_MACHINE_ARM64 &&
                                                      OWN_MACHINE == IMAGE_FILE_MACHINE_AMD64)) {
            /* System libraries of Windows on Arm serve x64 programs too (ARM64X). */
            good = fail(error, DBGENG_LOAD_BITNESS, 0);
        }
    }
    if (!good) {
        memcpy(error->file, path, (wcslen(path) + 1) * sizeof *path);
    }
    return good;
}

/* Gets the path that a module of this name was loaded from; false if none is loaded. */
static bool loaded_from(const wchar_t *name, wchar_t *path)
{
    HMODULE module = GetModuleHandleW(name);
    DWORD length = module == NULL ? 0 : GetModuleFileNameW(module, path, DBGENG_PATH);

    return length > 0 && length < DBGENG_PATH;
}

static bool same_file(const wchar_t *one, const wchar_t *other)
{
    wchar_t first[DBGENG_PATH], second[DBGENG_PATH];
    DWORD one_length = GetFullPathNameW(one, DBGENG_PATH, first, NULL);
    DWORD other_length = GetFullPathNameW(other, DBGENG_PATH, second, NULL);

    return one_length > 0 && one_length < DBGENG_PATH && other_length > 0 &&
           other_length < DBGENG_PATH && lstrcmpiW(first, second) == 0;
}

/* Loads the siblings that the folder has, and notes those that were loaded from elsewhere before.
 * Each must be for this Python; only dbghelp.dll must load: the engine imports it by name. */
static bool load_siblings(const wchar_t *folder, dbgeng_load_error *error)
{
    wchar_t path[DBGENG_PATH], before[DBGENG_PATH];
    bool good = true;

    for (int i = 0; good && i < DBGENG_SIBLINGS; i++) {
        if (!join(path, folder, sibling_names[i]) ||
            GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES) {
            continue;
        }
        if (loaded_from(sibling_names[i], before) && !same_file(before, path)) {
            memcpy(error->mixed[i], before, sizeof before);
        }
        good = check_file(path, error);
        if (good && LoadLibraryExW(path, NULL, SEARCH_FLAGS) == NULL && i == 0) {
            memcpy(error->file, path, sizeof path);
            good = fail(error, DBGENG_LOAD_SIBLING, GetLastError());
        }
    }
    return good;
}

/* Finds the version in the file's resources (VS_FIXEDFILEINFO, "Version Information",
 * learn.microsoft.com). */
static void find_version(const wchar_t *path, uint32_t *version)
{
    DWORD unused = 0;
    DWORD size = GetFileVersionInfoSizeW(path, &unused);
    void *data = size == 0 ? NULL : HeapAlloc(GetProcessHeap(), 0, size);
    void *value = NULL;
    UINT length = 0;

    if (data != NULL && GetFileVersionInfoW(path, 0, size, data) &&
        VerQueryValueW(data, L"\\", &value, &length) && length >= sizeof(VS_FIXEDFILEINFO)) {
        const VS_FIXEDFILEINFO *fixed = value;

        version[0] = HIWORD(fixed->dwFileVersionMS);
        version[1] = LOWORD(fixed->dwFileVersionMS);
        version[2] = HIWORD(fixed->dwFileVersionLS);
        version[3] = LOWORD(fixed->dwFileVersionLS);
    }
    if (data != NULL) {
        (void)HeapFree(GetProcessHeap(), 0, data);
    }
}

bool dbgeng_file_of(uintptr_t address, wchar_t *file, uint32_t *version)
{
    HMODULE module = NULL;
    DWORD length = 0;

    if (GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
                               GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                           (const wchar_t *)address, &module)) {
        length = GetModuleFileNameW(module, file, DBGENG_PATH);
    }
    if (length > 0 && length < DBGENG_PATH) {
        find_version(file, version);
    }
    return length > 0 && length < DBGENG_PATH;
}

static bool load_engine(const wchar_t *path, dbgeng_load_error *error)
{
    HMODULE module = LoadLibraryExW(path, NULL, SEARCH_FLAGS);
    DWORD os_error = GetLastError();
    bool good = false;

    if (module == NULL) {
        (void)fail(error, DBGENG_LOAD_LIBRARY, os_error);
    } else {
        /* Through void (*)(void), so that no compiler takes the cast for a mistake. */
        engine.create = (dbgeng_create_call)(void (*)(void))GetProcAddress(module, "DebugCreate");
        engine.connect =
            (dbgeng_connect_call)(void (*)(void))GetProcAddress(module, "DebugConnectWide");
        if (engine.create == NULL) {
            (void)fail(error, DBGENG_LOAD_FUNCTION, 0);
        } else {
            DWORD length = GetModuleFileNameW(module, engine.file, DBGENG_PATH);

            if (length == 0 || length >= DBGENG_PATH) {
                memcpy(engine.file, path, (wcslen(path) + 1) * sizeof *path);
            }
            find_version(engine.file, engine.version);
            good = true;
        }
    }
    return good;
}

/* Called with the lock held. */
static bool load_from(const wchar_t *folder, dbgeng_load_error *error)
{
    wchar_t path[DBGENG_PATH], other[DBGENG_PATH];
    DWORD attributes;
    bool good = false;

    if (!is_absolute(folder) || !join(path, folder, L"dbgeng.dll")) {
        (void)fail(error, DBGENG_LOAD_PATH, 0);
        goto done;
    }
    memcpy(error->file, path, sizeof path);
    if (loaded_from(L"dbgeng.dll", other) && !same_file(other, path)) {
        memcpy(error->file, other, sizeof other);
        (void)fail(error, DBGENG_LOAD_OTHER, 0);
        goto done;
    }
    if (loaded) {
        good = true;
        goto done;
    }
    attributes = GetFileAttributesW(folder);
    if (attributes == INVALID_FILE_ATTRIBUTES || (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0) {
        (void)fail(error, DBGENG_LOAD_FOLDER,
                   attributes == INVALID_FILE_ATTRIBUTES ? GetLastError() : ERROR_DIRECTORY);
        goto done;
    }
    good = check_file(path, error) && load_siblings(folder, error) && load_engine(path, error);
    loaded = good;
done:
    return good;
}

bool dbgeng_load(const wchar_t *folder, dbgeng_load_error *error)
{
    DWORD mode = 0;
    bool restore, good;

    memset(error, 0, sizeof *error);
    error->own_machine = OWN_MACHINE;
    AcquireSRWLockExclusive(&loading);
    /* A broken library is an error of ours, not a dialog on the user's screen. */
    restore = SetThreadErrorMode(SEM_FAILCRITICALERRORS | SEM_NOOPENFILEERRORBOX, &mode) != 0;
    good = load_from(folder, error);
    if (restore) {
        (void)SetThreadErrorMode(mode, NULL);
    }
    ReleaseSRWLockExclusive(&loading);
    return good;
}
