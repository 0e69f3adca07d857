"""windows_modules.py finds what is wrong with a module for Windows."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from windows_modules import MACHINES, Library, Machine, faults, read, stable_names

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

# By this function, since mypy checks this folder without the tests'.
pe_files = importlib.import_module("support.pe_files")

ARM64, X86, X64 = MACHINES
IMPORTS = ["python3.dll", "kernel32.dll", "api-ms-win-crt-heap-l1-1-0.dll"]
GOOD = Library(ARM64.number, ["PyInit__core"], IMPORTS)


@pytest.mark.parametrize(("bits", "machine"), [(64, X64), (32, X86)], ids=["64", "32"])
def test_a_file(bits: int, machine: Machine) -> None:
    exports = {"PyInit__core": pe_files.CODE, "other": pe_files.CODE}
    found = read(pe_files.library("x.dll", exports, bits=bits))
    assert found.machine == machine.number
    assert found.exports == ["PyInit__core", "other"]
    assert found.imports == []


def test_a_module_as_it_must_be() -> None:
    assert faults("_core", GOOD, ARM64) == []


@pytest.mark.parametrize(
    ("found", "machine", "said"),
    [
        (GOOD, X64, "it is for machine 0xaa64, not 0x8664"),
        (Library(ARM64.number, ["PyInit_x"], IMPORTS), ARM64, "it exports ['PyInit_x']"),
        (Library(ARM64.number, ["PyInit__core"], []), ARM64, "it does not import python3.dll"),
        (
            Library(ARM64.number, ["PyInit__core"], [*IMPORTS, "python311.dll"]),
            ARM64,
            "it imports python311.dll",
        ),
    ],
)
def test_faults(found: Library, machine: Machine, said: str) -> None:
    assert faults("_core", found, machine) == [said]


def test_names_of_the_stable_abi() -> None:
    names = stable_names()
    assert "PyObject_GetBuffer" in names and "PyExc_TypeError DATA" in names
    assert "PyType_FromMetaclass" not in names  # of 3.12
