/* The raw layer's methods on pointers. */
#ifndef PYDBGWRITE_PYTHON_DATA_SPACES_POINTERS_H
#define PYDBGWRITE_PYTHON_DATA_SPACES_POINTERS_H

#include "arguments.h"

KEYWORD_METHOD(raw_write_pointers_virtual);
KEYWORD_METHOD(raw_read_pointers_virtual);
KEYWORD_METHOD(raw_is_pointer_64bit);

#endif
