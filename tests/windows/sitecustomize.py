"""Start-up of the Windows lane's Python: this run's scratch folder, and the peers on request."""

import os
import site

# Wine sets TEMP itself, to a folder of the prefix; temporary files belong to this run's scratch.
_scratch = os.environ.get("PYDBGWRITE_LANE_SCRATCH")
if _scratch:
    os.environ["TEMP"] = os.environ["TMP"] = _scratch

_peers = os.environ.get("PYDBGWRITE_LANE_PEERS")
if _peers:
    site.addsitedir(_peers)
