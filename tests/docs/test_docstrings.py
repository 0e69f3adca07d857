"""Objects that C implements have the docstrings of the stub: csrc/python/make_docstrings.py."""

from __future__ import annotations

import ast
import inspect
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.places import ROOT

import pydbgwrite
from pydbgwrite import _core

MAKE: dict[str, Any] = runpy.run_path(str(ROOT / "csrc" / "python" / "make_docstrings.py"))
STUB = ast.parse((ROOT / "pydbgwrite" / "_core.pyi").read_text(encoding="utf-8"))


def documented() -> list[tuple[str, str]]:
    """Return the names in the stub that this platform's module has, each with its docstring."""
    found = []
    owners: list[ast.Module | ast.ClassDef] = [STUB]
    owners += [each for each in STUB.body if isinstance(each, ast.ClassDef)]
    for owner in owners:
        prefix = f"{owner.name}." if isinstance(owner, ast.ClassDef) else ""
        for each in owner.body:
            if isinstance(each, ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(each)
                if text is not None:
                    found.append((f"{prefix}{each.name}", text))
    return found


@pytest.mark.parametrize(("name", "text"), documented(), ids=[name for name, _ in documented()])
def test_help_shows_the_docstring_of_the_stub(name: str, text: str) -> None:
    thing: Any = _core
    for part in name.split("."):
        thing = getattr(thing, part)
    assert inspect.getdoc(thing) == text


def test_everything_public_is_documented() -> None:
    names = {name for name, _ in documented()}
    for owner in (_core.Session, _core.DataSpaces, _core.MemoryBasicInformation):
        own = [name for name in vars(owner) if not name.startswith(("_", "n_"))]
        assert own
        assert {f"{owner.__name__}.{name}" for name in own} <= names


def public_callables() -> dict[str, Any]:
    """Return the functions, classes and methods that a user calls, by name."""
    found: dict[str, Any] = {}
    for name in pydbgwrite.__all__:
        value = getattr(pydbgwrite, name)
        found[name] = value
        for own in dir(value) if inspect.isclass(value) else ():
            if not own.startswith("_"):
                found[f"{name}.{own}"] = getattr(value, own)
    return {name: value for name, value in found.items() if callable(value)}


@pytest.mark.parametrize(("name", "value"), public_callables().items(), ids=public_callables())
def test_help_shows_public_names_alone(name: str, value: Any) -> None:
    try:
        shown = str(inspect.signature(value))
    except ValueError:  # a type that C implements
        return
    private = re.findall(r"(?<!\w)_[A-Za-z]\w*|\bTarget\b", shown.replace("__", ""))
    assert not private, f"{name}{shown}"


def test_a_docstring_with_quotes_and_backslashes_is_that_text_in_c(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        where = "Windows" if sys.platform == "win32" else sys.platform
        pytest.skip(f"there is no C compiler: cc, on {where}")
    stub = tmp_path / "stub.pyi"
    stub.write_text(
        'def odd(a: int, /, b: int = 3) -> None:\n    r"""C:\\new "x"\\0\n\n    z?"""\n'
    )
    MAKE["write_header"](stub, tmp_path / "docstrings.h")
    program = tmp_path / "program.c"
    program.write_text(
        '#include <stdio.h>\n#include "docstrings.h"\n'
        "int main(void) { return fputs(DOC_odd, stdout) < 0; }\n"
    )
    subprocess.run([compiler, str(program), "-o", str(tmp_path / "program")], check=True)
    said = subprocess.run([str(tmp_path / "program")], check=True, capture_output=True, text=True)
    assert said.stdout == 'odd($module, a, /, b=3)\n--\n\nC:\\new "x"\\0\n\nz?'


def test_a_docstring_that_is_not_ascii_is_refused(tmp_path: Path) -> None:
    stub = tmp_path / "stub.pyi"
    stub.write_text('def odd() -> None:\n    """Caf\u00e9."""\n', encoding="utf-8")
    with pytest.raises(ValueError, match="not ASCII"):
        MAKE["write_header"](stub, tmp_path / "docstrings.h")
