"""The C rule of CONTRIBUTING.md: no `return` while a resource is held that must be released.

A function returns early only before it acquires anything, or if its first acquisition fails;
after that its one exit is its last statement. The scanner parses only the C that this needs:
comments, literals and directives are blanked, then a brace at the top level that follows a
parenthesis opens a function. Both branches of an `#if` count, and so does code for other systems.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from check_units import NOT_CODE

ROOT = Path(__file__).resolve().parent.parent

RETURN = re.compile(r"\breturn\b")
RETURN_AT_END = re.compile(r"\breturn\b[^;]*;\s*\Z")
#: Calls that acquire a resource that must be released, closed, freed or left.
ACQUIRE = re.compile(
    r"""\b(?:
        \w*(?:alloc|_take|_enter|_begin|_create|_start|_claim|_connect)
      | open | fopen | opendir | dup | socket | mmap | eventfd | pidfd_open
      | pthread_mutex_lock | EnterCriticalSection | AcquireSRWLock\w+
      | Create\w+W? | Open\w+ | LoadLibrary\w+ | VirtualAlloc\w* | QueryInterface | AddRef
      | PyObject_GetBuffer | PyObject_GetIter | PyEval_SaveThread | Py_INCREF
      | Py(?:List|Tuple|Dict|Bytes|Long|Unicode)_(?:New|From|As\w*WideChar)\w* | Py_BuildValue
      | PyObject_Call\w* | PyImport_\w+ | PyObject_GetAttr\w* | PyNumber_\w+ | PyErr_Fetch
    )\s*\(""",
    re.VERBOSE,
)
#: Between an acquisition that may fail and the return if it fails: the rest of the condition, or
#: of the statement and a test of its result; then a block in which nothing is closed.
FAILED_IN_CONDITION = re.compile(r"[^;{}]*\{[^{}]*\Z")
FAILED_THEN_TESTED = re.compile(
    r"(?P<name>[\w>.-]+)\s*=\s*[^;{}]*;\s*"
    r"if \((?:!(?P=name)|(?P=name) (?:(?:==|<) \w+|!= S_OK))\) \{[^{}]*\Z"
)
NAME = re.compile(r"(\w+)\s*\(")


@dataclass(frozen=True)
class Function:
    """One function of a C file: its place, and the lines of returns while a resource is held."""

    name: str
    line: int
    held_at: list[int]

    def fault(self) -> str | None:
        """The fault in its exits, or None."""
        lines = ", ".join(str(line) for line in self.held_at)
        return f"returns early, with something held, on line {lines}" if lines else None


def returns_that_hold(body: str) -> Iterator[int]:
    """Yield the places of early returns in a function's body that leave a resource acquired."""
    acquired = [found.start() for found in ACQUIRE.finditer(body)]
    last = RETURN_AT_END.search(body)
    for found in RETURN.finditer(body):
        before = [place for place in acquired if place < found.start()]
        if not before or (last and found.start() == last.start()):
            continue
        between = body[before[0] : found.start()]
        statement = body[max(body.rfind(sign, 0, before[0]) for sign in ";{}") + 1 : found.start()]
        failed = re.match(r"\s*if \(", statement) and (
            FAILED_IN_CONDITION.match(between) and re.search(r"!\w|== NULL|< 0", statement)
        )
        if len(before) > 1 or not (failed or FAILED_THEN_TESTED.search(statement)):
            yield found.start()


def code_of(text: str) -> str:
    """Return the text with only code left; the rest is blank, and line breaks stay in place."""
    return NOT_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def line_of(text: str, place: int) -> int:
    """Return the line of a place, from 1."""
    return text.count("\n", 0, place) + 1


def functions_of(text: str) -> Iterator[Function]:
    """Yield the functions of a C file, in order."""
    code = code_of(text)
    depth = 0
    behind = 0  # the end of the previous declaration or body
    opened = 0  # the brace that opens the current top-level block
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
                    held_at=[
                        line_of(code, opened + 1 + place) for place in returns_that_hold(body)
                    ],
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
def test_nothing_is_held_at_an_early_return(file: str) -> None:
    faults = [
        f"{file}:{line}: {name}(): {fault}"
        for name, line, fault in faults_of((ROOT / file).read_text(encoding="utf-8"))
        if fault
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "body",
    [
        "f(); ",
        "return x; ",
        "if (x) { goto done; } f();\ndone:\n return (struct s){x, 1}; ",
        "/* return 1; */ f(\"return } \\\" {\", '{', '\\''); // return }\n return x; ",
        "\n#define GIVE \\\n return 1; }\n#if A\n x = 1;\n#else\n x = 2;\n#endif\n return x;\n",
        "if (x) { return 1; }\n switch (x) { case 2: return 2; default: return 3; }",
        "if (x) { return 1; }\n p = malloc(1); free(p);\n return 2;",
        "if (!session_enter(s, true)) { return NULL; }\n session_leave(s);\n return x;",
        "char *p = malloc(1);\n if (p == NULL) { raise(); return NULL; }\n free(p);\n return x;",
        "h = f->QueryInterface(f, &p);\n if (h != S_OK) { return h; }\n p->Release(p);\n return h;",
        "fd = open(p, 0);\n if (fd < 0) { return -1; }\n close(fd);\n return 0;",
    ],
)
def test_the_scanner_lets_guards_pass(body: str) -> None:
    others = "int table[] = {1, f(2)};\nstruct s {\n    int (*call)(void);\n};\n"
    assert faults_of(f"{others}int\nf(int x)\n{{ {body}}}\n{others}") == [("f", 6, None)]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("p = malloc(1);\n if (x) { return 1; }\n free(p);\n return 2;", 4),
        ("p = malloc(1);\n if (p == NULL) { return 1; }\n if (x) { return 2; }\n return 3;", 5),
        ("if (!session_enter(s, true)) { return NULL; }\n if (x) { return x; }\n return y;", 4),
        ("if (session_enter(s, true)) {\n if (x) { return x; }\n f();\n }\n return y;", 4),
        ("p = malloc(1);\n q = malloc(1);\n if (q == NULL) { return 1; }\n return 2;", 5),
        ("h = f->QueryInterface(f, &p);\n if (h == S_OK) { f(); }\n if (x) { return x; }\n y;", 5),
        ("if (session_enter(s, true)) { return x; }\n return y;", 3),
        ("if (p != NULL && PyObject_GetBuffer(o, b, 0) < 0) { f(); }\n return 1; f();", 4),
        ("\n#if A\n p = malloc(1);\n#endif\n if (x) { return; }\n free(p);", 7),
    ],
)
def test_the_scanner_finds_what_is_held(body: str, line: int) -> None:
    text = f"int g(void);\nstatic int STDMETHODCALLTYPE f(int (*x)(int))\n{{ {body} }}\n"
    assert faults_of(text) == [("f", 2, f"returns early, with something held, on line {line}")]


def test_the_scanner_refuses_what_it_can_not_follow() -> None:
    with pytest.raises(AssertionError, match="not closed"):
        faults_of("int f(void) {\n#if A\n if (a) {\n#else\n if (b) {\n#endif\n } return 1; }\n")
