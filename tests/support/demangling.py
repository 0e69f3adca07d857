"""The mark of tests that need the library which demangles names."""

from __future__ import annotations

import sys

import pytest

from pydbgwrite._symbols.demangle import demangler

#: Elsewhere there is a wheel of it, and such a test fails without it.
needs_demangler = pytest.mark.skipif(
    demangler() is None and sys.version_info[:2] == (3, 13) and "free-threading" in sys.version,
    reason="the demangler has no wheel for the free-threaded CPython 3.13",
)
