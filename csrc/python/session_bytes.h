/* Session.write and Session.read. */
#ifndef PYDBGWRITE_PYTHON_SESSION_BYTES_H
#define PYDBGWRITE_PYTHON_SESSION_BYTES_H

#include "arguments.h"

KEYWORD_METHOD(session_write);
KEYWORD_METHOD(session_read);

#endif
