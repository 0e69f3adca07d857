/* The raw layer's methods about regions of memory. */
#ifndef PYDBGWRITE_PYTHON_DATA_SPACES_REGIONS_H
#define PYDBGWRITE_PYTHON_DATA_SPACES_REGIONS_H

#include "arguments.h"

KEYWORD_METHOD(raw_query_virtual);
KEYWORD_METHOD(raw_get_valid_region_virtual);
KEYWORD_METHOD(raw_get_next_differently_valid_offset_virtual);

/* Makes the type of query_virtual()'s result: a new reference, or NULL and an exception. */
PyObject *raw_memory_information_type(void);

#endif
