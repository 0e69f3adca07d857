/* The target's modules and symbols, as the engine knows them. */
#ifndef PYDBGWRITE_ENGINES_DBGENG_SYMBOLS_H
#define PYDBGWRITE_ENGINES_DBGENG_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
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

/* Makes the engine list the module that lies at that base, under the name of a file. Returns S_OK,
 * or the engine's answer; the engine may list none all the same. */
HRESULT dbgeng_load_module(IDebugClient5 *client, const wchar_t *file, uint64_t base,
                           uint32_t size);

/* Returns the address of the current thread's TEB; 0 if the engine has none. */
uint64_t dbgeng_thread_teb(IDebugClient5 *client);

/* Makes the engine give C++ names as they are in the module, by clearing SYMOPT_UNDNAME: that
 * option leaves out parameters, so that overloads have one name, and cuts the first '_' of others
 * (docs/engine.md). The option is the engine's, of all its clients. */
void dbgeng_keep_decoration(IDebugClient5 *client);

/* Parts of a C++ name that are left out. */
typedef enum dbgeng_undecoration {
    DBGENG_NAME_ONLY,
    DBGENG_PARAMETERS, /* the name and the parameters, if it has any; the type of a variable */
} dbgeng_undecoration;

/* Undecorates a name of Microsoft's compiler, with the dbghelp.dll of the engine. False: it has
 * no such function, or can't; `*to` is "" then. */
bool dbgeng_undecorate(const wchar_t *name, dbgeng_undecoration how, wchar_t *to, uint32_t room);

/* Finds the address of "module!symbol". S_FALSE: there are several, and this is one of them. */
HRESULT dbgeng_symbol(IDebugClient5 *client, const wchar_t *name, uint64_t *address);

/* Takes a symbol, "module!symbol"; false stops. */
typedef bool (*dbgeng_symbol_taker)(void *context, const wchar_t *name, uint64_t address);

/* Passes the symbols that match a pattern such as "module!*" to `take`. Returns S_OK, or the
 * engine's answer. */
HRESULT dbgeng_symbols(IDebugClient5 *client, const wchar_t *pattern, dbgeng_symbol_taker take,
                       void *context);

/* Takes the name of one address, "module!symbol", and how many bytes behind the symbol that lies;
 * NULL: the engine has no name for it. False stops. */
typedef bool (*dbgeng_name_taker)(void *context, const wchar_t *name, uint64_t displacement);

/* Passes the name of each address to `take`. Returns S_OK, or E_NOINTERFACE. */
HRESULT dbgeng_names(IDebugClient5 *client, const uint64_t *addresses, size_t count,
                     dbgeng_name_taker take, void *context);

#endif
