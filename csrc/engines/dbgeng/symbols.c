/* The target's modules and symbols, as the engine knows them (IDebugSymbols3). */
#include "symbols.h"

#include <stdio.h>
#include <string.h>

#include "../../com/hresult.h"
#include "../../com/iids.h"
#include "../../com/symbols.h"
#include "../../com/system_objects.h"

/* dbgeng.h */
#define DEBUG_MODNAME_IMAGE  0u
#define DEBUG_MODNAME_MODULE 1u

#define MODULE_PATH 1024u

/* dbghelp.h, documented in "Symbol Options" of the Windows Debugger. */
#define SYMOPT_UNDNAME 0x2u

/* dbghelp.h, documented in UnDecorateSymbolName. */
#define UNDNAME_NO_MS_KEYWORDS         0x2u
#define UNDNAME_NO_FUNCTION_RETURNS    0x4u
#define UNDNAME_NO_ALLOCATION_MODEL    0x8u
#define UNDNAME_NO_ALLOCATION_LANGUAGE 0x10u
#define UNDNAME_NO_ACCESS_SPECIFIERS   0x80u
#define UNDNAME_NO_THROW_SIGNATURES    0x100u
#define UNDNAME_NO_MEMBER_TYPE         0x200u
#define UNDNAME_NO_RETURN_UDT_MODEL    0x400u
#define UNDNAME_NAME_ONLY              0x1000u
#define NAME_AND_PARAMETERS                                                                        \
    (UNDNAME_NO_MS_KEYWORDS | UNDNAME_NO_FUNCTION_RETURNS | UNDNAME_NO_ALLOCATION_MODEL |          \
     UNDNAME_NO_ALLOCATION_LANGUAGE | UNDNAME_NO_ACCESS_SPECIFIERS | UNDNAME_NO_THROW_SIGNATURES | \
     UNDNAME_NO_MEMBER_TYPE | UNDNAME_NO_RETURN_UDT_MODEL)

typedef DWORD(WINAPI *undecorate_call)(const wchar_t *name, wchar_t *to, DWORD room, DWORD flags);

/* C++ names are long; names that are longer than this are cut, and then match nothing. */
#define SYMBOL_NAME 4096u

static HRESULT open_symbols(IDebugClient5 *client, IDebugSymbols3 **symbols)
{
    void *found = NULL;
    HRESULT status = client->lpVtbl->QueryInterface(client, &iid_debug_symbols3, &found);

    *symbols = found;
    return status;
}

HRESULT dbgeng_modules(IDebugClient5 *client, dbgeng_module_taker take, void *context)
{
    IDebugSymbols3 *symbols = NULL;
    ULONG count = 0, unloaded = 0;
    HRESULT status = open_symbols(client, &symbols);
    bool more = true;

    if (status != S_OK) {
        goto done;
    }
    status = symbols->lpVtbl->GetNumberModules(symbols, &count, &unloaded);
    for (ULONG i = 0; more && status == S_OK && i < count; i++) {
        DEBUG_MODULE_PARAMETERS parameters;
        wchar_t path[MODULE_PATH] = L"", name[MODULE_PATH] = L"";
        ULONG64 base = 0;
        ULONG needed = 0;

        memset(&parameters, 0, sizeof parameters);
        status = symbols->lpVtbl->GetModuleByIndex(symbols, i, &base);
        if (status == S_OK) {
            status = symbols->lpVtbl->GetModuleParameters(symbols, 1, &base, 0, &parameters);
        }
        if (status == S_OK) {
            dbgeng_module module = {base, parameters.Size, parameters.TimeDateStamp, path, name};

            /* S_FALSE: the name is longer, and cut. A module without a name gets none here. */
            (void)symbols->lpVtbl->GetModuleNameStringWide(symbols, DEBUG_MODNAME_IMAGE, i, base,
                                                           path, MODULE_PATH, &needed);
            (void)symbols->lpVtbl->GetModuleNameStringWide(symbols, DEBUG_MODNAME_MODULE, i, base,
                                                           name, MODULE_PATH, &needed);
            path[MODULE_PATH - 1] = L'\0';
            name[MODULE_PATH - 1] = L'\0';
            more = take(context, &module);
        }
    }
    (void)symbols->lpVtbl->Release(symbols);
done:
    return status;
}

HRESULT dbgeng_load_module(IDebugClient5 *client, const wchar_t *file, uint64_t base, uint32_t size)
{
    IDebugSymbols3 *symbols = NULL;
    HRESULT status = open_symbols(client, &symbols);
    wchar_t text[MODULE_PATH];
    int length;

    if (status == S_OK) {
        /* The arguments of the command .reload. */
        length = _snwprintf(text, MODULE_PATH, L"%ls=0x%llx,0x%lx", file, (unsigned long long)base,
                            (unsigned long)size);
        if (length <= 0 || length >= (int)MODULE_PATH) {
            status = E_INVALIDARG;
        } else {
            status = symbols->lpVtbl->ReloadWide(symbols, text);
        }
        (void)symbols->lpVtbl->Release(symbols);
    }
    return status;
}

uint64_t dbgeng_thread_teb(IDebugClient5 *client)
{
    void *found = NULL;
    ULONG64 teb = 0;

    if (client->lpVtbl->QueryInterface(client, &iid_debug_system_objects, &found) == S_OK) {
        IDebugSystemObjects *objects = found;

        if (objects->lpVtbl->GetCurrentThreadTeb(objects, &teb) != S_OK) {
            teb = 0;
        }
        (void)objects->lpVtbl->Release(objects);
    }
    return teb;
}

void dbgeng_keep_decoration(IDebugClient5 *client)
{
    IDebugSymbols3 *symbols = NULL;
    ULONG options = 0;

    if (open_symbols(client, &symbols) == S_OK) {
        /* Any change makes the engine read all symbols again. */
        if (symbols->lpVtbl->GetSymbolOptions(symbols, &options) == S_OK &&
            (options & SYMOPT_UNDNAME) != 0) {
            (void)symbols->lpVtbl->RemoveSymbolOptions(symbols, SYMOPT_UNDNAME);
        }
        (void)symbols->lpVtbl->Release(symbols);
    }
}

bool dbgeng_undecorate(const wchar_t *name, dbgeng_undecoration how, wchar_t *to, uint32_t room)
{
    /* The engine's own: one is loaded in a process, before the engine (loading.h). */
    HMODULE library = GetModuleHandleW(L"dbghelp.dll");
    undecorate_call call = NULL;
    DWORD flags = how == DBGENG_NAME_ONLY ? UNDNAME_NAME_ONLY : NAME_AND_PARAMETERS;
    DWORD length = 0;

    if (library != NULL) {
        call = (undecorate_call)(void (*)(void))GetProcAddress(library, "UnDecorateSymbolNameW");
    }
    if (call != NULL) {
        length = call(name, to, room, flags);
    }
    if (length == 0) {
        to[0] = L'\0';
    }
    to[room - 1] = L'\0';
    return length != 0;
}

HRESULT dbgeng_symbol(IDebugClient5 *client, const wchar_t *name, uint64_t *address)
{
    IDebugSymbols3 *symbols = NULL;
    ULONG64 offset = 0;
    HRESULT status = open_symbols(client, &symbols);

    if (status == S_OK) {
        status = symbols->lpVtbl->GetOffsetByNameWide(symbols, name, &offset);
        (void)symbols->lpVtbl->Release(symbols);
    }
    *address = offset;
    return status;
}

HRESULT dbgeng_symbols(IDebugClient5 *client, const wchar_t *pattern, dbgeng_symbol_taker take,
                       void *context)
{
    IDebugSymbols3 *symbols = NULL;
    ULONG64 handle = 0;
    HRESULT status = open_symbols(client, &symbols);
    bool more = true;

    if (status != S_OK) {
        goto done;
    }
    status = symbols->lpVtbl->StartSymbolMatchWide(symbols, pattern, &handle);
    if (status == S_OK) {
        while (more) {
            wchar_t name[SYMBOL_NAME] = L"";
            ULONG64 offset = 0;
            ULONG needed = 0;
            /* E_NOINTERFACE: there are no more; S_FALSE: this name is longer, and cut. */
            HRESULT next = symbols->lpVtbl->GetNextSymbolMatchWide(symbols, handle, name,
                                                                   SYMBOL_NAME, &needed, &offset);

            name[SYMBOL_NAME - 1] = L'\0';
            more = (next == S_OK || next == S_FALSE) && take(context, name, offset);
        }
        (void)symbols->lpVtbl->EndSymbolMatch(symbols, handle);
    }
    (void)symbols->lpVtbl->Release(symbols);
done:
    return status;
}

HRESULT dbgeng_names(IDebugClient5 *client, const uint64_t *addresses, size_t count,
                     dbgeng_name_taker take, void *context)
{
    IDebugSymbols3 *symbols = NULL;
    HRESULT status = open_symbols(client, &symbols);
    bool more = true;

    if (status != S_OK) {
        goto done;
    }
    for (size_t i = 0; more && i < count; i++) {
        wchar_t name[SYMBOL_NAME];
        ULONG64 displacement = 0;
        ULONG needed = 0;
        HRESULT found;

        name[0] = L'\0';
        /* S_FALSE: the name is longer, and cut. E_FAIL: no module has that address. */
        found = symbols->lpVtbl->GetNameByOffsetWide(symbols, addresses[i], name, SYMBOL_NAME,
                                                     &needed, &displacement);
        name[SYMBOL_NAME - 1] = L'\0';
        more = take(context, found == S_OK ? name : NULL, displacement);
    }
    (void)symbols->lpVtbl->Release(symbols);
done:
    return status;
}
