"""check_units.py finds circles and misplaced functions, and accepts other files."""

from __future__ import annotations

from pathlib import Path

import check_units
import pytest

#: a calls b. The function-like macro, the literal and the table declare no functions.
GOOD = {
    "low/b.h": "#define CALL(x) (x)\nextern int count;\nint b(int x);\nMADE(word, 1);\n",
    "low/b.c": '#include "b.h"\nint count = (1);\nint b(int x)\n{\n    return x;\n}\n'
    "MADE(word, 1)\n{\n}\n",
    "a.h": "static inline int low(int x)\n{\n    return x;\n}\nint a(void);\n",
    "a.c": '#include <string.h>\n#include "a.h"\n#include "low/b.h"\n'
    "static int (*table[])(int) = {b};\nstatic int own(void);\n"
    'SLOTS(a, b)\n\nint a(void)\n{\n    return table[0](own()); /* "} */\n}\n'
    "static int own(void)\n{\n    return '}';\n}\n",
    "types.h": "struct lonely {\n    int (*call)(int x);\n};\n",
}


def checked(folder: Path, changed: dict[str, str]) -> int:
    for name, text in {**GOOD, **changed}.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return check_units.main([str(folder)])


def test_what_depends_one_way_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(tmp_path, {}) == 0
    assert capsys.readouterr().out == "3 units, 0 circles, 0 misplaced declarations\n"


def test_a_circle_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(tmp_path, {"low/b.c": '#include "../a.h"\n', "c.c": '#include "a.h"\n'}) == 1
    assert capsys.readouterr().out.splitlines() == [
        "2 units depend on each other in a circle:",
        "    a.c:3 includes low/b.h",
        "    low/b.c:1 includes a.h",
        "4 units, 1 circles, 0 misplaced declarations",
    ]


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"types.h": "int b(int x);\n"}, "low/b.c: b is declared in types.h, not in b.h"),
        ({"a.c": "int b(int);\nint a(void)\n{\n}\n"}, "low/b.c: b is declared in a.c, not in b.h"),
        ({"a.h": ""}, "a.c: a is declared in no file, not in a.h"),
        ({"a.h": "MADE(word, 1);\n"}, "low/b.c: word is declared in a.h, not in b.h"),
    ],
)
def test_a_misplaced_declaration_is_printed(
    changed: dict[str, str], fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checked(tmp_path, changed) == 1
    assert fault in capsys.readouterr().out.splitlines()


def test_an_include_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.c:1: gone\.h is not in "):
        checked(tmp_path, {"a.c": '#include "gone.h"\n'})


def test_a_brace_in_one_branch_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not closed"):
        checked(tmp_path, {"a.c": "int a(void) {\n#if A\nif (a) {\n#else\nif (b) {\n#endif\n}}\n"})
