"""Wine 10 for the Windows lane: Debian trixie's, on a machine with another Wine, or with none.

It lies in a Debian of its own below the cache. Each of its programs runs in a mount namespace,
where that Debian's /usr is in the place of this machine's. All other folders are this machine's,
and nothing is mounted outside: the mount goes with the last program.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from lane_cache import ROOT, Cache, LaneError, fetch

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from kernels.sources import Packages, source_line

RECIPE = 1
SUITE = "trixie"
LIBRARIES = Path("usr/lib/x86_64-linux-gnu/wine")
#: apt's settings while it makes the tree.
APT = ('APT::Install-Recommends "false"', 'Apt::Sandbox::User "root"')
PROGRAMS: dict[str, tuple[str, ...]] = {"mmdebstrap": ("mmdebstrap",), "unshare": ("util-linux",)}
#: Wine starts its server by WINESERVER: otherwise by Debian's alternatives, which are in /etc.
WRAPPER = """#!/bin/sh
export WINELOADER=/usr/lib/wine/wine64 WINESERVER=/usr/lib/wine/wineserver64
export XDG_RUNTIME_DIR={run}
exec unshare --mount sh -c 'mount --bind "$0" /usr && exec "$@"' {usr} {program} "$@"
"""


def use_wine_10(cache: Cache) -> None:
    """Make Wine 10, with 32-bit programs, and put its programs first on PATH."""
    if os.geteuid() != 0:
        raise LaneError(
            "--wine 10 needs root: it makes a Debian, and mounts its /usr for Wine alone"
        )
    if ROOT.is_relative_to("/usr"):
        raise LaneError(f"with Wine 10 nothing of this machine's /usr is seen, and {ROOT} is there")
    place = cache.folder / "wine-10"

    def make(folder: Path) -> None:
        tree, sources = folder / "tree", folder / "sources.list"
        sources.write_text(source_line(SUITE) + "\n")
        options = [f"--aptopt={each}" for each in APT]
        # In a mount namespace: what it mounts in the tree can't stay.
        command = ["unshare", "--mount", "mmdebstrap", "--quiet", "--mode=root", "--variant=apt"]
        command += [*options, "--include=wine,wine64", SUITE, str(tree), str(sources)]
        fetch(command, what=f"making a Debian {SUITE} with Wine", clear=tree)
        # Debian has the 32-bit Windows libraries in a package of the other architecture.
        packages = Packages(folder, SUITE, "i386")
        packages.unpack("libwine", folder / "i386")
        packages.remove()
        narrow = next((folder / "i386").glob("usr/lib/*/wine/i386-windows"))
        shutil.copytree(narrow, tree / LIBRARIES / "i386-windows", dirs_exist_ok=True)
        shutil.rmtree(folder / "i386")
        (folder / "run").mkdir(mode=0o700)
        (folder / "bin").mkdir()
        for name in ("wine", "wineserver"):
            wrapper = WRAPPER.format(
                run=shlex.quote(str(place / "run")),
                usr=shlex.quote(str(place / "tree" / "usr")),
                program=f"/usr/lib/wine/{name}64",
            )
            (folder / "bin" / name).write_text(wrapper)
            (folder / "bin" / name).chmod(0o755)

    recipe = [RECIPE, SUITE, APT, WRAPPER, str(place)]
    made = cache.part(place.name, recipe, make)
    os.environ["PATH"] = f"{made / 'bin'}{os.pathsep}{os.environ['PATH']}"
