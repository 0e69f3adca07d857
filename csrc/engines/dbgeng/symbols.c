/* The target's modules and symbols, as the engine knows them (IDebugSymbols3). */
#include "symbols.h"

#include <string.h>

#include "../../com/hresult.h"
#include "../../com/iids.h"
#include "../../com/symbols.h"

/* dbgeng.h */
#define DEBUG_MODNAME_IMAGE  0u
#define DEBUG_MODNAME_MODULE 1u

#define MODULE_PATH 1024u

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
