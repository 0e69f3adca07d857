"""The messages of errors: from the engine, on Linux, on Windows."""
