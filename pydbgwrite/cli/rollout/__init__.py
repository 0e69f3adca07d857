"""The commands of `pydbgwrite rollout`: one patch for all processes of a program."""
