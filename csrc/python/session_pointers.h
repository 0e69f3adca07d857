/* Session.write_pointers and Session.read_pointers. */
#ifndef PYDBGWRITE_PYTHON_SESSION_POINTERS_H
#define PYDBGWRITE_PYTHON_SESSION_POINTERS_H

#include "arguments.h"

KEYWORD_METHOD(session_write_pointers);
KEYWORD_METHOD(session_read_pointers);

#endif
