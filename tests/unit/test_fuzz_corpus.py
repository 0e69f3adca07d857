"""The fuzzer's seeds and its findings: each file is read, or refused with a message."""

from __future__ import annotations

import re
import sys

import pytest
from fuzz.programs import NATIVE, ROOT
from fuzz.seeds import FOLDER
from fuzz.targets import TARGETS

FILES = [(kind, file.name) for kind in TARGETS for file in sorted((FOLDER / kind).iterdir())]


def of_this_system(kind: str) -> None:
    if kind == "elf" and sys.platform != "linux":
        pytest.skip("Linux processes are for Linux")


@pytest.mark.parametrize(("kind", "name"), FILES)
def test_each_file(kind: str, name: str) -> None:
    of_this_system(kind)
    TARGETS[kind]((FOLDER / kind / name).read_bytes())


@pytest.mark.parametrize("kind", TARGETS)
def test_cut_off(kind: str) -> None:
    """Files that are cut at the places where a fuzzer starts to cut are read or refused."""
    of_this_system(kind)
    for name in [name for each, name in FILES if each == kind][:8]:
        data = (FOLDER / kind / name).read_bytes()
        for part in (2, 3, 5):
            TARGETS[kind](data[: len(data) // part])
            TARGETS[kind](data[len(data) // part :])


def test_each_method_of_the_engine_is_fuzzed() -> None:
    """Those of its tables of methods that do more than to say that they do nothing."""
    engine = sorted((ROOT / "csrc" / "engines" / "embedded").glob("*.c"))
    tables = "".join(path.read_text() for path in engine)
    methods = set(
        re.findall(r"^    \.([A-Z]\w+) =\s+(?!NOT_IMPLEMENTED)\w+,$", tables, re.MULTILINE)
    )
    called = re.findall(r"lpVtbl\s*->(\w+)", (NATIVE / "fuzz_engine.c").read_text())
    assert len(methods) > 30
    # It follows a BeginAside that has begun something, which no simulated target does.
    assert methods - set(called) == {"EndAside"}
