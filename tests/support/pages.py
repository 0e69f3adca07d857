"""Runs the code of a documentation page as a reader would: files, shell commands, Python, in order.

A fenced block is saved as a file if the line before it ends with a name, as in "`shop.cpp`:".
Otherwise the shell runs sh blocks and exec() runs python blocks, all of a page in one namespace. A
text block right behind one is the output that it must print. Addresses, offsets in a program,
process ids and absolute paths differ between machines: each is replaced by its own number on both
sides, so a value that the page repeats must repeat in the output. Blocks in other languages are
not run, nor are blocks under a comment `<!-- not run: why -->`.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from support.places import ROOT

DOCS: Final = ROOT / "docs"

_FENCE: Final = re.compile(r"^(`{3,})(\w*)\n(.*?)^\1$", flags=re.MULTILINE | re.DOTALL)
_FILE: Final = re.compile(r"`([\w.-]+\.\w+)`(?: \([^)]*\))?:$")
_NOT_RUN: Final = re.compile(r"<!-- not run: [^>]+-->$")
_VARYING: Final = re.compile(
    r"0x[0-9a-f]{6,16}\b|(?<=\+)0x[0-9a-f]+\b|(?<=\bprocess )\d+|(?<=\bpid )\d+"
    r"|(?<!\S)(?:/[\w.+-]+)+"
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; file: the name to save it by; expected: its output."""

    heading: str
    language: str
    text: str
    line: int
    file: str | None = None
    expected: str | None = None


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page of docs/ that are files or are run."""
    source = (DOCS / page).read_text(encoding="utf-8")
    found = list(_FENCE.finditer(source))
    result: list[Block] = []
    for index, fence in enumerate(found):
        before = source[: fence.start()].rstrip()
        headings = re.findall(r"^#+ (.*)$", before, flags=re.MULTILINE)
        if _NOT_RUN.search(before):
            continue
        named = _FILE.search(before)
        if named is None and fence[2] not in ("sh", "python"):
            continue
        behind = found[index + 1] if index + 1 < len(found) else None
        expected = None
        if (
            behind is not None
            and behind[2] == "text"
            and not source[fence.end() : behind.start()].strip()
        ):
            expected = behind[3]
        line = source[: fence.start()].count("\n") + 1
        file = named[1] if named else None
        result.append(Block(headings[-1], fence[2], fence[3], line, file, expected))
    return result


@dataclass
class _Masks:
    seen: dict[int | str, str] = field(default_factory=dict)

    def applied(self, text: str) -> str:
        def number(found: re.Match[str]) -> str:
            what = found[0] if found[0].startswith("/") else int(found[0], 0)
            return self.seen.setdefault(what, f"<{len(self.seen) + 1}>")

        return "\n".join(line.rstrip() for line in _VARYING.sub(number, text).splitlines())


class Reader:
    """Follows a page in a separate folder, which is the working folder."""

    def __init__(self, folder: Path, **given: object) -> None:
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "__main__", **given}
        self._documented, self._seen = _Masks(), _Masks()

    def follow(self, page: str) -> int:
        """Save or run all blocks of the page; return their number."""
        found = blocks(page)
        for block in found:
            self.do(block, page)
        return len(found)

    def do(self, block: Block, page: str, replaced: dict[str, str] | None = None) -> None:
        """Save or run one block, and compare its output."""
        text = block.text
        for old, new in (replaced or {}).items():
            text = text.replace(old, new)
        where = f"docs/{page}, line {block.line}"
        if block.file is not None:
            (self.folder / block.file).write_text(text, encoding="utf-8")
            return
        said = self._shell(text, where) if block.language == "sh" else self._python(text, where)
        if block.expected is not None:
            documented = self._documented.applied(block.expected)
            seen = self._seen.applied(said)
            assert seen == documented, f"{where} prints:\n{said}"
        else:
            assert not said, f"{where} prints what the page does not show:\n{said}"

    def _python(self, text: str, where: str) -> str:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(text, where, "exec"), self.names)
        return said.getvalue()

    def _shell(self, text: str, where: str) -> str:
        # The reader's shell finds programs of the active environment.
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        # Writes are numbered from 1, as of a reader who has made none before.
        state = str(self.folder / ".state")
        environment = {**os.environ, "PATH": path, "COLUMNS": "100", "XDG_STATE_HOME": state}
        done = subprocess.run(
            ["sh", "-euc", text],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
            cwd=self.folder,
            env=environment,
        )
        assert done.returncode == 0, f"{where}: exit code {done.returncode}\n{done.stdout}"
        return done.stdout
