"""The command line: main.py has the group, and each command has its own file.

The packages of the [cli] extra are imported here only. pydbgwrite/__main__.py runs first, and says
what to install if they are missing.
"""
