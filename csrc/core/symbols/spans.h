/* Which symbol covers an address of a module.
 *
 * A symbol with a size covers its bytes; where several do, the one that begins last, as gdb has it.
 * A symbol without a size covers its own address, and what no other covers from there up to the
 * next symbol, or to the end of its section. Behind that end, or between symbols, there is none:
 * the nearest symbol below would be a guess.
 *
 * Of several symbols at one address the name is one that means that address alone, if there is one;
 * then the order is: with a size, a function or an object, global or weak, fewer leading
 * underscores, shorter, first in the alphabet.
 */
#ifndef PYDBGWRITE_CORE_SYMBOLS_SPANS_H
#define PYDBGWRITE_CORE_SYMBOLS_SPANS_H

#include "entries.h"

#define SYMBOL_NONE UINT32_MAX

typedef struct symbol_spans {
    uint64_t *starts; /* sorted; each span ends where the next begins */
    uint32_t *symbols;
    size_t count;
} symbol_spans;

/* Symbols outside of `low` to `high` are left out. False: there is not enough memory. */
bool symbol_spans_make(const symbol_source *sources, const symbol_entries *entries, uint64_t low,
                       uint64_t high, symbol_spans *spans);

void symbol_spans_free(symbol_spans *spans);

/* Returns how many spans begin at or before an address of the file: the last of these covers it.
 * `hint` is the answer for another address, or 0: from a lower address that is close to it, the
 * search takes few steps. */
size_t symbol_spans_place(const symbol_spans *spans, size_t hint, uint64_t address);

#endif
