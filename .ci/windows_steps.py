"""The steps of the Windows lane: the suite against Microsoft's engine, under Wine."""

from __future__ import annotations

from pathlib import Path

from environments import PYTHON
from machine import WORK, Failure, need, once, pythons, run
from steps import step

#: On the 32-bit Windows Python: every kind of session.
NARROW = "tests/conformance/test_conformance_pointers.py"
#: What tests/windows/try_wheel.py writes.
THOUSAND = "a thousand pointers through Microsoft's engine"


@once
def windows_lane() -> tuple[Path, str]:
    """Return the start of a command line of the Windows lane; its Wine is not installed yet."""
    need("gcc-mingw-w64-x86-64", "x86_64-w64-mingw32-gcc")
    need("gcc-mingw-w64-i686", "i686-w64-mingw32-gcc")
    # The lane makes its Windows Python from the library and headers of a CPython of that version.
    python = next((each for each in pythons() if each.version[:2] == (3, 11)), None)
    if python is None:
        raise Failure("the Windows lane needs CPython 3.11, and none is on PATH")
    python.complete("python3.11")
    run(python.path, "-m", "venv", WORK / "windows-venv")
    # In place, for its cache, .cache/windows-lane: it builds and tests this folder.
    return WORK / "windows-venv/bin/python", "tests/windows/lane.py"


@step(
    budget=450,
    proves={
        "cp311-abi3-win_amd64": (
            "the suite on Microsoft's engine under Wine, CPython 3.11 (3.14: a thousand pointers)"
        ),
        "cp311-abi3-win32": "pointers in every kind of session, on Microsoft's x86 engine",
    },
)
def windows() -> str:
    """The suite on a Windows CPython against Microsoft's engines, under Wine."""
    need("wine")
    closing = whole_lane("windows", place="lane")
    on_32_bits("windows-32", "--no-peers", "--", NARROW)
    run(*windows_lane(), "versions", "3.14")
    return closing


def whole_lane(name: str, *options: str, place: str) -> str:
    """Run the suite in the Windows lane, and check its skips; return the count of tests."""
    results = WORK / name
    # Without 32-bit programs it would leave tests out, so it fails then.
    quick = ("--win32", "yes", "--quick", "--junit", results)
    run(*windows_lane(), *options, *quick, "--", "-q", "--durations=15")
    older = results / "older.xml"  # the conformance and differential suites on a second engine
    reports = sorted(set(results.glob("*.xml")) - {older})
    run(PYTHON.path, ".ci/check_skips.py", "--lane-older", older)
    return run(PYTHON.path, ".ci/check_skips.py", f"--{place}", *reports)[-1]


@step(
    budget=600,
    by_name=True,
    name="windows-more",
    proves={
        "cp311-abi3-win_amd64": f"{THOUSAND}, CPython 3.11 to 3.14",
        "cp311-abi3-win32": "the suite on Microsoft's x86 engine under Wine",
        "cp314-cp314t-win_amd64": f"{THOUSAND}, CPython 3.13t and 3.14t",
    },
)
def windows_more() -> None:
    """The suite on a 32-bit Windows CPython; the wheel on each Windows CPython."""
    need("wine")
    on_32_bits("windows-more", "--")
    run(*windows_lane(), "versions")


@step(
    budget=900,
    by_name=True,
    name="windows-wine10",
    proves={
        "cp311-abi3-win_amd64": (
            "the suite under Wine 10, which heeds the protection of a write's first page"
        )
    },
)
def windows_wine_10() -> str:
    """The suite under Wine 10, with the tests of page protection. It needs root, and Debian."""
    need("mmdebstrap")
    return whole_lane("windows-wine10", "--wine", "10", place="lane-wine-10")


def on_32_bits(name: str, *arguments: str) -> None:
    """Run tests on the 32-bit Windows Python, against the engine of that width."""
    results = WORK / name
    run(*windows_lane(), "win32", "--quick", "--junit", results, *arguments, "-q")
    run(PYTHON.path, ".ci/check_skips.py", "--lane-32", *sorted(results.glob("*.xml")))
