/* The target's modules and symbols, as the engine knows them. */
#ifndef PYDBGWRITE_ENGINES_DBGENG_SYMBOLS_H
#define PYDBGWRITE_ENGINES_DBGENG_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../com/client.h"

/* One module of the target, as the engine knows it: its file, the name that its symbols use
 * ("libstdc___6" for libstdc++-6.dll), and the linker's entries in its header. */
typedef struct dbgeng_module {
    uint64_t base;
    uint32_t size;
    uint32_t timestamp;
    const wchar_t *path;
    const wchar_t *name;
} dbgeng_module;

/* Takes a module; false stops. */
typedef bool (*dbgeng_module_taker)(void *context, const dbgeng_module *module);

/* Passes all loaded modules to `take`. Returns S_OK, or the engine's answer. */
HRESULT dbgeng_modules(IDebugClient5 *client, dbgeng_module_taker take, void *context);

/* Finds the address of "module!symbol". S_FALSE: there are several, and this is one of them. */
HRESULT dbgeng_symbol(IDebugClient5 *client, const wchar_t *name, uint64_t *address);

/* Takes a symbol, "module!symbol"; false stops. */
typedef bool (*dbgeng_symbol_taker)(void *context, const wchar_t *name, uint64_t address);

/* Passes the symbols that match a pattern such as "module!*" to `take`. Returns S_OK, or the
 * engine's answer. */
HRESULT dbgeng_symbols(IDebugClient5 *client, const wchar_t *pattern, dbgeng_symbol_taker take,
                       void *context);

#endif
