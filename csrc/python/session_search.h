/* Session._search: finding words in the target's memory. */
#ifndef PYDBGWRITE_PYTHON_SESSION_SEARCH_H
#define PYDBGWRITE_PYTHON_SESSION_SEARCH_H

#include "arguments.h"

KEYWORD_METHOD(session_search);

#endif
