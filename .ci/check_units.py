"""Fails if files of csrc depend on each other in a circle, and prints the circles.

    python .ci/check_units.py [FOLDER]

A unit is a .c and the .h of its name in the same folder, or one of them alone. It depends on the
units whose files it includes. To call a function a file must include a header that declares it
(-Wmissing-prototypes, and no declarations in .c files), so includes cover calls as long as every
function is declared in its own unit's header. That is checked too.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

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
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
#: Text at the top level: up to a semicolon, or up to the brace of a body.
DECLARED = re.compile(r"(?P<text>[^;{}]*)(?P<end>[;{])")
#: A macro in capitals makes a function of the name that is its first argument.
FUNCTION = re.compile(r"(?:\b[A-Z_]+\()?\b(?P<name>\w+)\s*[(),]")
#: Macro calls on separate lines before a declaration; their expansion is not checked here.
MACROS_BEFORE = re.compile(r"\A(?:[A-Z_]+\([^()]*\)\s*\n)+(?=\s*\S)")
#: Made by make_docstrings.py during a build: it has only strings.
GENERATED = "docstrings.h"


def top_level(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each declaration outside braces, and whether a body follows it."""
    code = NOT_CODE.sub(" ", text)
    code = re.sub(r'\bextern " *" *\{', "", code)
    at = 0
    while found := DECLARED.search(code, at):
        at = found.end()
        if found["end"] == "{":
            depth = 1
            while depth:
                brace = re.search(r"[{}]", code[at:])
                if brace is None:
                    raise ValueError("a brace is not closed: is it in one branch of an #if alone?")
                depth += 1 if brace[0] == "{" else -1
                at += brace.end()
        yield found["text"].strip(" \n}"), found["end"] == "{"


def functions(text: str, *, defined: bool) -> set[str]:
    """Return the functions that other files can call: those with a body, or those without."""
    names = set()
    for declaration, has_body in top_level(text):
        declaration = MACROS_BEFORE.sub("", declaration).strip()
        found = FUNCTION.search(declaration)
        local = re.match(r"(static|typedef|PyMODINIT_FUNC)\b", declaration)
        if found and has_body == defined and not local and "=" not in declaration:
            names.add(found["name"])
    return names


def misplaced(files: dict[Path, str]) -> Iterator[str]:
    """Yield functions that are declared outside their own unit's header."""
    declared: dict[str, list[Path | str]] = {}
    for path, text in files.items():
        for name in functions(text, defined=False):
            declared.setdefault(name, []).append(path)
    for path, text in files.items():
        header = path.with_suffix(".h")
        for name in functions(text, defined=True):
            for place in declared.get(name, ["no file"]):
                if place != header:
                    yield f"{path}: {name} is declared in {place}, not in {header.name}"


def includes(files: dict[Path, str], root: Path) -> Iterator[tuple[Path, int, Path]]:
    """Yield each include: the file, the line, and the included file."""
    for path, text in files.items():
        for found in INCLUDE.finditer(text):
            target = (root / path.parent / found[1]).resolve()
            if target.name == GENERATED:
                continue
            line = text.count("\n", 0, found.start()) + 1
            if not target.is_relative_to(root) or target.relative_to(root) not in files:
                raise ValueError(f"{path}:{line}: {found[1]} is not in {root}")
            yield path, line, target.relative_to(root)


def circles(edges: dict[Path, set[Path]]) -> list[set[Path]]:
    """Return the largest sets of units in which each unit depends on all others."""
    reached = {unit: set(targets) for unit, targets in edges.items()}
    for middle in edges:
        for targets in reached.values():
            if middle in targets:
                targets |= reached[middle]
    found = {
        frozenset(other for other in targets if unit in reached[other])
        for unit, targets in reached.items()
        if unit in targets
    }
    return [set(circle) for circle in sorted(found, key=sorted)]


def main(arguments: list[str]) -> int:
    """Print the faults; return the exit code."""
    root = Path(arguments[0] if arguments else Path(__file__).parent.parent / "csrc").resolve()
    files = {
        path.relative_to(root): path.read_text(encoding="utf-8")
        for path in sorted(root.rglob("*.[ch]"))
        if path.name != GENERATED
    }
    lines = list(includes(files, root))
    edges: dict[Path, set[Path]] = {path.with_suffix(""): set() for path in files}
    for path, _, target in lines:
        if path.with_suffix("") != target.with_suffix(""):
            edges[path.with_suffix("")].add(target.with_suffix(""))
    found = circles(edges)
    for circle in found:
        print(f"{len(circle)} units depend on each other in a circle:")
        for path, line, target in lines:
            ends = {path.with_suffix(""), target.with_suffix("")}
            if len(ends) == 2 and ends <= circle:
                print(f"    {path}:{line} includes {target}")
    wrong = sorted(misplaced(files))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(edges)} units, {len(found)} circles, {len(wrong)} misplaced declarations")
    return 1 if found or wrong or not edges else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
