/* Which mangled names are safe to demangle.
 *
 * A demangler tries several readings of an expression, and of a local name, and each reading tries
 * all readings of what is within it. So a short name that is made to hurt takes years, in c++filt
 * as in the library that this package uses. The names of real programs nest few of them.
 */
#ifndef PYDBGWRITE_CORE_SYMBOLS_MANGLED_H
#define PYDBGWRITE_CORE_SYMBOLS_MANGLED_H

#include <stdbool.h>
#include <stddef.h>

/* Returns whether a name begins as mangled ones do, those of C++ and Rust, is not longer than those
 * of real programs, and has few parts that can be read in several ways (Itanium C++ ABI,
 * "Mangling"). Letters of identifiers count, too, where it is not sure that they are some. */
bool mangled_name_is_plain(const char *name, size_t length);

#endif
