"""The demonstration: a child process, its table, and the proof of what it holds."""
