"""Rules about the source that no compiler checks: the place of Python.h, the start of files."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
C_FILES = sorted(
    path
    for path in (*ROOT.glob("csrc/**/*.[ch]"), *ROOT.glob("tests/c/*.[ch]"))
    if path.name != "docstrings.h"  # made by make_docstrings.py
)
PYTHON_FILES = sorted(
    path
    for folder in ("pydbgwrite", "tests", "bench", ".ci")
    for path in ROOT.glob(f"{folder}/**/*.py")
    if "__pycache__" not in path.parts
)
ALL = [*C_FILES, *PYTHON_FILES, ROOT / "setup.py"]


def name(path: Path) -> str:
    """Return a path as a test's id."""
    return path.relative_to(ROOT).as_posix()


def code(path: Path) -> str:
    """Return a C file without its comments and string literals."""
    text = re.sub(r"/\*.*?\*/", " ", path.read_text(), flags=re.DOTALL)
    text = re.sub(r"//[^\n]*", " ", text)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def functions(path: Path) -> list[str]:
    """Return a C file's function bodies: clang-format puts their braces in the first column."""
    return re.findall(r"^\{\n(.*?)^\}", code(path), flags=re.DOTALL | re.MULTILINE)


def test_there_is_something_to_look_at() -> None:
    assert len(C_FILES) > 40
    assert len(PYTHON_FILES) > 20
    assert sum(len(functions(path)) for path in C_FILES) > 300


@pytest.mark.parametrize("path", [p for p in C_FILES if "csrc" in p.parts], ids=name)
def test_python_h_stays_in_its_folder(path: Path) -> None:
    text = code(path)
    includes = re.findall(r"#\s*include\s*[<\"]([^>\"]*)", path.read_text())
    if "python" in path.relative_to(ROOT).parts:
        # python.h sets the Limited API first; the other files include it, directly or not.
        assert ("Python.h" in includes) == (path.name == "python.h")
    elif path.parent.name != "demo":
        assert "Python.h" not in includes
        assert not [each for each in includes if "python" in each.lower()]
        assert not re.search(r"\bPy[A-Z_][A-Za-z]*\b", text)


@pytest.mark.parametrize(
    "path", sorted([*ROOT.glob("csrc/base/*.[ch]"), *ROOT.glob("csrc/core/**/*.[ch]")]), ids=name
)
def test_the_core_knows_no_operating_system(path: Path) -> None:
    """Only atomics.h and search/lanes.c test for the compiler."""
    includes = re.findall(r"#\s*include\s*<([^>]*)>", path.read_text())
    allowed = {"stdbool.h", "stddef.h", "stdint.h", "string.h", "stdlib.h"}
    if path.name == "atomics.h":
        allowed |= {"stdatomic.h", "windows.h"}
    elif path.name == "lanes.c":
        allowed |= {"immintrin.h", "intrin.h", "arm_neon.h"}
    else:
        assert not re.search(r"\b(_WIN32|_MSC_VER|__linux__|__APPLE__)\b", code(path))
    assert set(includes) <= allowed


#: Functions of csrc/python that acquire a buffer for their caller, and the caller's release.
TAKERS = {
    "PyObject_GetBuffer": "PyBuffer_Release",
    "arguments_bytes": "PyBuffer_Release",
    "take_ulong_bytes": "PyBuffer_Release",
    "pointer_input_take_buffer": "pointer_input_release",
    "pointer_input_take": "pointer_input_release",
    "write_request_expect": "pointer_input_release",
    "write_request_take_expected": "pointer_input_release",
    "pointer_output_take": "pointer_output_release",
}


@pytest.mark.parametrize("path", sorted(ROOT.glob("csrc/python/**/*.c")), ids=name)
def test_buffers_are_released_where_they_are_taken(path: Path) -> None:
    found = re.findall(
        r"(\w+)\([^{};]*\)\n\{\n(.*?)^\}", code(path), flags=re.DOTALL | re.MULTILINE
    )
    for function, body in found:
        for taker, release in TAKERS.items():
            if function not in TAKERS and re.search(rf"\b{taker}\(", body):
                assert re.search(rf"\b{release}\(", body), f"{function}() calls {taker}()"
    text = code(path)
    outside = re.sub(r"^\{\n.*?^\}", "", text, flags=re.DOTALL | re.MULTILINE)
    assert "PyObject_GetBuffer" not in outside
    if path.name not in ("arguments.c", "pointer_input.c"):
        assert "PyObject_GetBuffer" not in text


@pytest.mark.parametrize("path", C_FILES, ids=name)
def test_c_files(path: Path) -> None:
    text = path.read_text()
    assert re.match(r"/\* [A-Z]", text), "begins with a comment that says what it is for"
    bare = code(path)
    for word in ("__attribute__", "__builtin_", "__typeof__", "__extension__", "#pragma GCC"):
        if path.name == "lanes.c":  # AVX2 for some functions alone
            continue
        assert word not in bare, f"{word} is a compiler's own"
    if path.suffix == ".h":
        guard = re.search(r"#ifndef (PYDBGWRITE_\w+_H)\n#define \1\n", text)
        assert guard, "an include guard of the project's name"
        stem = path.stem.upper().replace("-", "_")
        assert guard[1].endswith(f"{stem}_H")
    assert not re.search(r"\b(strcpy|strcat|sprintf|gets|alloca|setjmp|longjmp)\s*\(", bare)


@pytest.mark.parametrize("path", PYTHON_FILES, ids=name)
def test_python_files(path: Path) -> None:
    text = path.read_text()
    first = text.removeprefix("#!/usr/bin/env python3\n")
    if first.strip():
        assert re.match(r'r?"""\S', first), "begins with a docstring that says what it is for"


@pytest.mark.parametrize("path", ALL, ids=name)
def test_every_file(path: Path) -> None:
    text = path.read_text()
    assert text.endswith("\n") or not text
    assert "\t" not in text
    assert "\r" not in text
    words = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"))
    assert not re.search(rf"\b({words})\b", text)


#: These report any exception that ends a command.
REPORTERS = (
    "cli/main.py",
    "cli/applying.py",
    "cli/undoing.py",
    "rollout/apply.py",
    "rollout/after.py",
)


@pytest.mark.parametrize("path", [p for p in PYTHON_FILES if "pydbgwrite" in p.parts], ids=name)
def test_exceptions_of_signal_handlers_go_on(path: Path) -> None:
    """Each clause catches by not_from_handler(), or raises the exception again.

    A signal's handler may raise any kind of Exception, at any place.
    """
    bad = []
    for each in ast.walk(ast.parse(path.read_text())):
        if isinstance(each, ast.Attribute) and each.attr == "suppress":
            bad.append(f"line {each.lineno}: contextlib.suppress()")
        if not isinstance(each, ast.ExceptHandler):
            continue
        last = each.body[-1]
        kinds = "" if each.type is None else ast.unparse(each.type)
        good = kinds.removeprefix("_").startswith("not_from_handler(") or (
            isinstance(last, ast.Raise) and last.exc is None
        )
        others = ("KeyboardInterrupt", "SystemExit", "ImportError")
        if not (good or kinds in others or path.as_posix().endswith(REPORTERS)):
            bad.append(f"line {each.lineno}: except {kinds}")
    assert not bad, f"{', '.join(bad)}; write `except not_from_handler(...)`"


@pytest.mark.parametrize("path", [p for p in PYTHON_FILES if "pydbgwrite" in p.parts], ids=name)
def test_each_descriptor_has_an_owner(path: Path) -> None:
    """FileDescriptor calls what opens one.

    An exception of a signal's handler can lose a number that the function itself returns.
    """
    opening = {"os.open", "os.dup", "os.fdopen", "os.pidfd_open"}
    bad = [
        f"line {each.lineno}: {called}()"
        for each in ast.walk(ast.parse(path.read_text()))
        if isinstance(each, ast.Call)
        and ((called := ast.unparse(each.func)) in opening or called.endswith("._open_folder"))
    ]
    assert not bad, f"{', '.join(bad)}; write FileDescriptor(os.open, ...)"


@pytest.mark.parametrize("path", sorted(ROOT.glob("pydbgwrite/cli/**/*.py")), ids=name)
def test_no_base_is_subscripted(path: Path) -> None:
    """Classes of click are generic only in its newest versions."""
    classes = [each for each in ast.walk(ast.parse(path.read_text())) if type(each) is ast.ClassDef]
    for each in classes:
        assert not any(type(base) is ast.Subscript for base in each.bases), each.name


def test_guards_are_unique() -> None:
    guards = [
        re.findall(r"#ifndef (PYDBGWRITE_\w+_H)\n", path.read_text())[0]
        for path in C_FILES
        if path.suffix == ".h"
    ]
    assert len(guards) == len(set(guards))


WHERE = [
    line
    for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines()
    if re.match(r"\|.*\| `(csrc|pydbgwrite)/", line)
]


def test_there_is_a_table_of_where_things_are() -> None:
    assert len(WHERE) > 15


@pytest.mark.parametrize("line", WHERE)
def test_what_the_table_names_is_there(line: str) -> None:
    folder = ROOT  # a file without a folder lies in that of the path before it
    for named in re.findall(r"`([\w/]+/\w+|[\w/*]+\.(?:c|h|pyi?))`", line):
        path = (ROOT if "/" in named else folder) / named
        assert list(path.parent.glob(path.name)), named
        folder = path if path.is_dir() else path.parent
