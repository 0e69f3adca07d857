"""Start-up of the Windows lane's Python: this run's scratch folder, its output, the peers."""

import io
import os
import site
import sys

# Wine sets TEMP itself, to a folder of the prefix; temporary files belong to this run's scratch.
_scratch = os.environ.get("PYDBGWRITE_LANE_SCRATCH")
if _scratch:
    os.environ["TEMP"] = os.environ["TMP"] = _scratch

_peers = os.environ.get("PYDBGWRITE_LANE_PEERS")
if _peers:
    site.addsitedir(_peers)

# A script's output goes to a terminal or file of Linux: it is written as a console would show it,
# in all of Unicode. What the script starts itself finds the pipes as they are on Windows.
if os.environ.pop("PYDBGWRITE_LANE_UTF8", None):
    for _stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(_stream, io.TextIOWrapper):
            _stream.reconfigure(encoding="utf-8")
