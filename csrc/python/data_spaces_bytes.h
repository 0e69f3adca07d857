/* The raw layer's methods on bytes. */
#ifndef PYDBGWRITE_PYTHON_DATA_SPACES_BYTES_H
#define PYDBGWRITE_PYTHON_DATA_SPACES_BYTES_H

#include "arguments.h"

KEYWORD_METHOD(raw_read_virtual);
KEYWORD_METHOD(raw_read_virtual_uncached);
KEYWORD_METHOD(raw_read_physical);
KEYWORD_METHOD(raw_write_virtual);
KEYWORD_METHOD(raw_write_virtual_uncached);
KEYWORD_METHOD(raw_write_physical);
KEYWORD_METHOD(raw_fill_virtual);
KEYWORD_METHOD(raw_search_virtual);

#endif
