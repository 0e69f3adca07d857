"""Make and start a program with many C++ symbols: from assembly, since a compiler takes minutes."""

from __future__ import annotations

import random
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["large_program"]

_WORDS = [
    "shape",
    "queue",
    "render",
    "layout",
    "parser",
    "widget",
    "buffer",
    "stream",
    "handler",
    "session",
]
_TYPES = (
    "i",
    "m",
    "PKc",
    "PFvvE",
    "RKSt6vectorIiSaIiEE",
    "St10shared_ptrIN4shop5ShapeEE",
    "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE",
)
#: It says that it runs, and waits for the end of its input.
_C = '#include <stdio.h>\nint main(void) { puts("runs"); fflush(stdout); return getchar() == 0; }\n'


def _function(number: int, chance: random.Random) -> str:
    """Return a function of 16 bytes with a name as compilers mangle them."""
    place = f"{chance.choice(_WORDS)}{number // 400}"
    name = f"{chance.choice(_WORDS)}_{chance.choice(_WORDS)}{number}"
    kind = "Lj3E" if number % 7 == 0 else "s"
    types = "".join(chance.choice(_TYPES) for _ in range(chance.randint(1, 3)))
    mangled = f"_ZN4shop{len(place)}{place}5ShapeIi{kind}E{len(name)}{name}E{types}"
    return (
        f".globl {mangled}\n.type {mangled},@function\n{mangled}: ret\n.zero 15\n"
        f".size {mangled},16\n"
    )


@contextmanager
def large_program(symbols: int) -> Iterator[tuple[Path, int]]:
    """Yield the path and the pid of a running program with that many functions."""
    chance = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="pydbgwrite-bench-") as folder:
        source, main, program = (Path(folder, name) for name in ("many.s", "main.c", "large"))
        functions = "".join(_function(number, chance) for number in range(symbols))
        source.write_text(f'.section .note.GNU-stack,"",@progbits\n.text\n{functions}')
        main.write_text(_C)
        subprocess.run(["cc", "-o", str(program), str(main), str(source)], check=True)
        with subprocess.Popen([str(program)], stdin=-1, stdout=-1) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdout.readline()
            try:
                yield program, child.pid
            finally:
                child.kill()
