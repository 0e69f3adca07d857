"""pydbgwrite regions, symbols and imports: each form of output, and names that do no harm."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import SAME_EVERYWHERE, Target, command, on_terminal, target
from support.demangling import needs_demangler
from support.libraries import ANSWERS, compile_program, running, shared_library

import pydbgwrite

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")


@pytest.fixture(scope="module")
def process() -> Iterator[Target]:
    with target() as started:
        yield started


def test_regions_as_json(process: Target) -> None:
    done = command("regions", "--pid", process.pid, "--json")
    assert (done.code, done.err) == (0, "")
    said = done.said
    assert said["pid"] == process.pid
    assert said["count"] == len(said["regions"])
    found = {int(each["base"], 16): each for each in said["regions"]}
    assert list(found) == sorted(found)
    assert found[process.rw]["protection"] == "rw"
    assert found[process.none]["protection"] == "none"
    names = {each["name"] for each in said["regions"]}
    assert any(name and "python" in name.lower() for name in names)
    assert None in names
    if sys.platform == "linux":
        assert {"<heap>", "<stack>"} < names


@SAME_EVERYWHERE
def test_regions_as_lines(process: Target) -> None:
    said = command("regions", "--pid", process.pid, "--json").said["regions"]
    done = command("regions", "--pid", process.pid)
    assert (done.code, done.err) == (0, "")
    lines = [line.split(maxsplit=4) for line in done.out.splitlines()]
    assert lines == [
        [
            each["base"],
            str(each["size"]),
            each["protection"],
            each["state"],
            each["name"] or "-",
        ]
        for each in said
    ]


@LINUX
def test_regions_on_a_terminal(process: Target) -> None:
    done = on_terminal("regions", "--pid", process.pid, "--rows", 3, width=160)
    assert done.code == 0
    assert "memory" in done.out
    assert "--rows shows more" in done.out


@SAME_EVERYWHERE
def test_fewer_rows(process: Target) -> None:
    assert command("regions", "--pid", process.pid, "--rows", 2).out.count("\n") == 2
    said = command("regions", "--pid", process.pid, "--rows", 2, "--json").said
    assert len(said["regions"]) == 2 < said["count"]


@LINUX
def test_imports(tmp_path: Path) -> None:
    library = "int answer(void) { return 1; }"
    source = (
        ANSWERS
        + """
extern int answer(void);
int main(void) { char line[9]; SAY("%lu\\n", NUMBER(main));
  while (fgets(line, 9, stdin)) SAY("%d\\n", answer());
  return 0; }
"""
    )
    shared_library(tmp_path / "libcalled.so", library)
    flags = ("-Wl,--no-as-needed", f"-L{tmp_path}", "-lcalled", f"-Wl,-rpath,{tmp_path}")
    name = "pro\x1b[31mgram"
    path = compile_program(tmp_path / name, source, *flags, "-Wl,-z,now", "-Wl,-z,relro")
    with running(path) as (child, _):
        with pydbgwrite.attach(child.pid) as session:
            (slot,) = session.import_slots(name, "answer")
            (module,) = [each for each in session.modules() if each.name == "libcalled.so"]
        to = ("--pid", child.pid)
        done = command("imports", *to, name, "--name", "answer", "--json")
        assert (done.code, done.err) == (0, "")
        (said,) = done.said["imports"]
        assert said == {
            "slot": f"0x{slot.address:x}",
            "name": "answer",
            "demangled": "answer",
            "module": name,
            "library": None,
            "kind": "call",
            "value": f"0x{slot.points_to:x}",
            "points_to": said["points_to"],
            "lazy": False,
            "protected": True,
        }
        assert said["points_to"].startswith("libcalled.so")
        assert module.base < slot.points_to < module.base + module.size
        line = command("imports", *to, name, "--name", "answer").out
        assert line.split() == [
            said["slot"],
            r"pro\x1b[31mgram",
            "protected",
            "answer",
            "->",
            said["points_to"],
        ]
        every = command("imports", *to).out.splitlines()
        assert len(every) > command("imports", *to, name).out.count("\n")
        shown = on_terminal("imports", *to, name, width=160)
        assert (shown.code, "\x1b[31mgram" in shown.out) == (0, False)
        assert "points to" in shown.out
        nothing = on_terminal("imports", *to, name, "--name", "nothing_at_all")
        assert nothing.code == 0
        assert "does not have an import named 'nothing_at_all'" in nothing.out
        for which in ([name], []):
            done = command("imports", *to, *which, "--name", "nothing_at_all")
            assert (done.code, done.out) == (0, "")
            assert "an import named 'nothing_at_all'" in done.err
        assert r"pro\x1b[31mgram" in command("imports", *to, name, "--name", "no").err
        wrong = command("imports", *to, "libcaled.so")
        assert (wrong.code, wrong.out) == (3, "")
        assert "did you mean 'libcalled.so'" in wrong.err


#: A C++ class's table and function, by their mangled names.
SHAPES = (
    ANSWERS
    + """
int area(void) __asm__("_ZNK6Square4areaEv");
int area(void) { return 4; }
int (*table[3])(void) __asm__("_ZTV6Square") = {0, 0, area};
int main(void) { char line[9]; SAY("%lu %lu\\n", NUMBER(table), NUMBER(area));
  while (fgets(line, 9, stdin)) ;
  return 0; }
"""
)


@needs_demangler
@LINUX
def test_symbols(tmp_path: Path) -> None:
    path = compile_program(tmp_path / "shapes", SHAPES)
    with running(path) as (child, (table, area)):
        to = ("--pid", child.pid, "--module", "shapes")
        done = command("symbols", "vtable for *", *to, "--json")
        assert (done.code, done.err) == (0, "")
        assert done.said == {
            "pid": child.pid,
            "count": 1,
            "symbols": [
                {
                    "name": "_ZTV6Square",
                    "demangled": "vtable for Square",
                    "module": "shapes",
                    "address": f"0x{table:x}",
                    "size": 3 * 8,
                    "kind": "data",
                }
            ],
        }
        lines = command("symbols", "*Square*", *to).out.splitlines()
        assert [line.split(maxsplit=4) for line in lines] == [
            [f"0x{address:x}", line.split()[1], kind, "shapes", name]
            for line, (address, kind, name) in zip(
                lines,
                sorted(
                    [
                        (table, "data", "vtable for Square"),
                        (area, "function", "Square::area() const"),
                    ]
                ),
                strict=True,
            )
        ]
        for pattern in ("_ZTV*", "vtable for S?uare"):
            assert command("symbols", pattern, *to, "--json").said == done.said
        (one,) = command("symbols", "*Square*", *to, "--kind", "function").out.splitlines()
        assert "Square::area() const" in one
        done = command("symbols", "nothing_at_all", *to, "--kind", "data")
        assert (done.code, done.out) == (0, "")
        for word in ("nothing_at_all", "data", "shapes", "'*nothing_at_all*' fits"):
            assert word in done.err
        nothing = on_terminal("symbols", "nothing*", *to)
        assert (nothing.code, "no symbol in shapes matches" in nothing.out) == (0, True)
        assert "fits" not in nothing.out
        wrong = command("symbols", "*", *to, "--kind", "vtable")
        assert (wrong.code, wrong.out) == (2, "")
        assert "function" in wrong.err


def test_symbols_of_every_system(process: Target) -> None:
    name, chosen = "malloc", tuple[str, ...]()
    if sys.platform == "win32":
        name, chosen = "GetProcAddress", ("--module", "kernel32.dll")
    done = command("symbols", name, "--pid", process.pid, *chosen, "--json")
    assert (done.code, done.err) == (0, "")
    assert name in {each["name"] for each in done.said["symbols"]}


def test_imports_of_every_system(process: Target) -> None:
    """The target's modules import a function of the system, which each slot leads to."""
    name, library = "malloc", None
    if sys.platform == "win32":
        name, library = "GetProcAddress", "kernel32.dll"
    done = command("imports", "--pid", process.pid, "--name", name, "--json")
    assert (done.code, done.err) == (0, "")
    found = done.said["imports"]
    assert done.said["count"] == len(found) > 0
    libraries = {each["library"] and each["library"].lower() for each in found}
    assert library in libraries
    for each in found:
        assert each["name"].partition("@")[0] == name
        assert each["points_to"] is not None
        assert int(each["value"], 16) != 0


@needs_demangler
@LINUX
def test_symbols_that_look_alike(tmp_path: Path) -> None:
    """The mangled form stands beside those whose demangled one several symbols have."""
    source = ANSWERS + "".join(
        f'int f{i}(void) __asm__("{name}");\nint f{i}(void) {{ return {i}; }}\n'
        for i, name in enumerate(("_ZN6SquareD0Ev", "_ZN6SquareD1Ev", "_ZN6Square4areaEv"))
    )
    path = compile_program(
        tmp_path / "alike", source + 'int main(void) { SAY("1\\n"); getchar(); return 0; }'
    )
    with running(path) as (child, _):
        done = command("symbols", "*Square*", "--pid", child.pid, "--module", "alike")
        assert sorted(line.split(maxsplit=4)[4] for line in done.out.splitlines()) == [
            "Square::area()",
            "Square::~Square() (_ZN6SquareD0Ev)",
            "Square::~Square() (_ZN6SquareD1Ev)",
        ]
