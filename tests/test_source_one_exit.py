"""The C rule of CONTRIBUTING.md: a function has one exit, a `return` as its last statement.

A void function may have none. The scanner knows as much of C as this takes: comments, literals and
directives are blanked, then a brace at the top level that follows a parenthesis opens a function.
Both branches of an `#if` count, and so does code for other systems.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# (file, function) of those that may have more exits: none.
ALLOWED: frozenset[tuple[str, str]] = frozenset()

NOT_CODE = re.compile(
    r"""
      /\*.*?\*/                              # a comment
    | //[^\n]*
    | "(?:\\.|[^"\\\n])*"                    # a literal
    | '(?:\\.|[^'\\\n])*'
    | ^[ \t]*\#(?:\\\n|/\*.*?\*/|[^\\\n])*   # a directive, with the lines that continue it
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
RETURN = re.compile(r"\breturn\b")
RETURN_AT_END = re.compile(r"\breturn\b[^;]*;\s*\Z")
NAME = re.compile(r"(\w+)\s*\(")


@dataclass(frozen=True)
class Function:
    """One function of a C file, with the lines of its exits."""

    name: str
    line: int
    returns: list[int]
    returns_at_end: bool

    def fault(self) -> str | None:
        """What is wrong with its exits, or None."""
        lines = ", ".join(str(line) for line in self.returns)
        if len(self.returns) > 1:
            return f"{len(self.returns)} returns, on lines {lines}"
        if self.returns and not self.returns_at_end:
            return f"the return on line {lines} is not its last statement"
        return None


def code_of(text: str) -> str:
    """The text with all that is not code blanked, and every line break left in its place."""
    return NOT_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def line_of(text: str, place: int) -> int:
    """The line of a place, from 1."""
    return text.count("\n", 0, place) + 1


def functions_of(text: str) -> Iterator[Function]:
    """The functions of a C file, in order."""
    code = code_of(text)
    depth = 0
    behind = 0  # the end of the declaration or body before
    opened = 0  # the brace that opens what is at the top level
    for found in re.finditer(r"[{};]", code):
        place, sign = found.start(), found[0]
        if sign == "{":
            opened = place if depth == 0 else opened
            depth += 1
        elif sign == "}":
            depth -= 1
            assert depth >= 0, f"line {line_of(code, place)}: a brace too many"
        if depth == 0:
            name = NAME.search(code, behind, opened)
            if sign == "}" and name and code[behind:opened].rstrip().endswith(")"):
                body = code[opened + 1 : place]
                yield Function(
                    name=name[1],
                    line=line_of(code, name.start()),
                    returns=[
                        line_of(code, opened + 1 + at.start()) for at in RETURN.finditer(body)
                    ],
                    returns_at_end=RETURN_AT_END.search(body) is not None,
                )
            behind = place + 1
    assert depth == 0, "a brace is not closed: is it in one branch of an #if alone?"


C_FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "csrc").rglob("*")
    if path.suffix in (".c", ".h")
)


def faults_of(text: str) -> list[tuple[str, int, str | None]]:
    return [(function.name, function.line, function.fault()) for function in functions_of(text)]


def test_there_are_files() -> None:
    assert "csrc/core/pointers.c" in C_FILES


@pytest.mark.parametrize("file", C_FILES)
def test_one_exit(file: str) -> None:
    faults = [
        f"{file}:{line}: {name}(): {fault}"
        for name, line, fault in faults_of((ROOT / file).read_text(encoding="utf-8"))
        if fault and (file, name) not in ALLOWED
    ]
    assert not faults, "one return, as the last statement:\n" + "\n".join(faults)


@pytest.mark.parametrize(
    "body",
    [
        "f(); ",
        "return x; ",
        "if (x) { goto done; } f();\ndone:\n return (struct s){x, 1}; ",
        "/* return 1; */ f(\"return } \\\" {\", '{', '\\''); // return }\n return x; ",
        "\n#define GIVE \\\n return 1; }\n#if A\n x = 1;\n#else\n x = 2;\n#endif\n return x;\n",
    ],
)
def test_the_scanner_lets_one_exit_pass(body: str) -> None:
    others = "int table[] = {1, f(2)};\nstruct s {\n    int (*call)(void);\n};\n"
    assert faults_of(f"{others}int\nf(int x)\n{{ {body}}}\n{others}") == [("f", 6, None)]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("if (x) { return 1; }\n return 2;", "2 returns, on lines 3, 4"),
        ("\n#if A\n return 1;\n#else\n return 2;\n#endif\n", "2 returns, on lines 5, 7"),
        ("if (x) { return; } f();", "the return on line 3 is not its last statement"),
        ("for (;;) { return 1; }", "the return on line 3 is not its last statement"),
    ],
)
def test_the_scanner_finds_other_exits(body: str, fault: str) -> None:
    text = f"int g(void);\nstatic int STDMETHODCALLTYPE f(int (*x)(int))\n{{ {body} }}\n"
    assert faults_of(text) == [("f", 2, fault)]


def test_the_scanner_refuses_what_it_can_not_follow() -> None:
    with pytest.raises(AssertionError, match="not closed"):
        faults_of("int f(void) {\n#if A\n if (a) {\n#else\n if (b) {\n#endif\n } return 1; }\n")
