"""The harnesses in C: the core, the embedded engine and wrapped engines under libFuzzer.

The package's own code is compiled for coverage and with the sanitizers of addresses and undefined
behaviour. The harness is compiled plainly, so that the fuzzer follows the package's branches alone.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "tests" / "fuzz" / "native"
#: Each has a file fuzz_*.c, which is linked with the helpers.
PROGRAMS = ("core", "engine", "wrapped")
HELPERS = ("model", "requests")
SANITIZERS = "address,undefined"
FLAGS = ("-std=c11", "-O2", "-g", "-pthread", "-fno-sanitize-recover=undefined")


def fuzzed_sources() -> list[Path]:
    """Return the C files of the package that the harnesses are linked with."""
    csrc = ROOT / "csrc"
    folders = ("base", "com", "core", "engines/embedded", "engines/wrapped")
    found = [path for folder in folders for path in (csrc / folder).rglob("*.c")]
    return sorted([*found, csrc / "engines" / "own_memory.c"])


def build(kinds: Iterable[str], folder: Path, workers: int) -> None:
    """Build these harnesses with clang into a folder, each under its own name."""
    folder.mkdir(parents=True, exist_ok=True)

    def clang(*arguments: str | Path) -> None:
        subprocess.run(["clang", *FLAGS, *map(str, arguments)], cwd=ROOT, check=True)

    def compiled(source: Path) -> Path:
        made = folder / "-".join(source.relative_to(ROOT).with_suffix(".o").parts)
        own = () if source.parent == NATIVE else (f"-fsanitize=fuzzer-no-link,{SANITIZERS}",)
        clang(*own, "-c", source, "-o", made)
        return made

    programs = {kind: folder / kind for kind in kinds}
    harnesses = [NATIVE / f"fuzz_{kind}.c" for kind in programs]
    shared = [*fuzzed_sources(), *(NATIVE / f"{name}.c" for name in HELPERS)]
    with ThreadPoolExecutor(workers) as pool:
        objects = list(pool.map(compiled, [*harnesses, *shared]))
    for made, program in zip(objects, programs.values(), strict=False):
        clang(f"-fsanitize=fuzzer,{SANITIZERS}", made, *objects[len(programs) :], "-o", program)
