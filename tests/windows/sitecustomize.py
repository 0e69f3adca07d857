"""Start-up of the Windows lane's Python: scratch folder, output, peers, starting programs."""

import io
import os
import sys

# Wine sets TEMP itself, to a folder of the prefix; temporary files belong to this run's scratch.
_scratch = os.environ.get("PYDBGWRITE_LANE_SCRATCH")
if _scratch:
    os.environ["TEMP"] = os.environ["TMP"] = _scratch


class _Peers:
    """Adds the peers' folder once a peer is imported: most programs start sooner without it."""

    NAMES = ("capstone", "comtypes", "pybag", "pythoncom", "pywintypes", "win32api", "win32more")

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> object:
        if name not in cls.NAMES:
            return None
        import importlib.machinery
        import site

        sys.meta_path.remove(cls)  # type: ignore[arg-type]
        site.addsitedir(os.environ["PYDBGWRITE_LANE_PEERS"])
        return importlib.machinery.PathFinder.find_spec(name)


if "PYDBGWRITE_LANE_PEERS" in os.environ:
    sys.meta_path.append(_Peers)  # type: ignore[arg-type]

if sys.platform == "win32":
    import _winapi

    # Wine 8 answers ERROR_INTERNAL_ERROR now and then, under load. Windows does not, and the tests
    # are not about CreateProcess.
    _create_process = _winapi.CreateProcess

    def _create(*arguments):  # type: ignore[no-untyped-def]  # typing would take long to import
        for _ in range(2):
            try:
                return _create_process(*arguments)
            except OSError as error:
                if error.winerror != 1359:
                    raise
        return _create_process(*arguments)

    _winapi.CreateProcess = _create

# A script's output goes to a terminal or file of Linux: it is written as a console would show it,
# in all of Unicode. Programs that the script starts get the pipes as they are on Windows.
if os.environ.pop("PYDBGWRITE_LANE_UTF8", None):
    for _stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(_stream, io.TextIOWrapper):
            _stream.reconfigure(encoding="utf-8")
