"""The kernel lane: tests on Debian's kernels in virtual machines (lane.py)."""
