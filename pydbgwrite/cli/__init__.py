"""The command line: main.py holds the group, each command has a file of its own.

The packages of the [cli] extra are imported here only: pydbgwrite/__main__.py, which comes first,
says what to install where they are missing.
"""
