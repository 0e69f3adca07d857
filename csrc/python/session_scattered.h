/* Session.write_scattered and Session.read_scattered. */
#ifndef PYDBGWRITE_PYTHON_SESSION_SCATTERED_H
#define PYDBGWRITE_PYTHON_SESSION_SCATTERED_H

#include "arguments.h"

KEYWORD_METHOD(session_write_scattered);
KEYWORD_METHOD(session_read_scattered);

#endif
