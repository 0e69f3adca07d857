"""The pages are correct: the tests follow their instructions and compare the results they show."""

from __future__ import annotations

import codeop
import shutil
import sys
from pathlib import Path

import pytest
from support.pages import DOCS, Reader, blocks
from support.processes import Child64

#: Pages for any platform, each with its minimum count of blocks: with fewer, some were not found.
ANYWHERE = {"howto/coming-from.md": 1, "howto/expect.md": 3, "howto/large-arrays.md": 7}
#: Pages on live processes of Linux.
LINUX = {
    "howto/addresses.md": 3,
    "howto/find-pointers.md": 9,
    "howto/hook-imports.md": 6,
    "howto/linux-permissions.md": 3,
    "howto/patch-files.md": 8,
    "howto/pointers-by-name.md": 3,
    "howto/review.md": 6,
    "howto/rollout.md": 12,
    "howto/shell.md": 3,
    "howto/undo.md": 8,
}
FRONT = "index.md"
#: Pages that other files test: test_docs_tutorial.py, tests/dbgeng/test_dbgeng_docs.py.
ELSEWHERE = {
    "tutorial/index.md",
    "howto/vtables.md",
    "howto/dumps.md",
    "howto/other-packages.md",
    "howto/process-servers.md",
    "howto/remote-debugging.md",
}
linux = pytest.mark.skipif(sys.platform != "linux", reason="for live Linux processes")


def test_no_page_is_left_out() -> None:
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    with_code = {page for page in pages if blocks(page)}
    assert with_code <= {FRONT, *ANYWHERE, *LINUX, *ELSEWHERE}


@pytest.mark.parametrize("page", sorted({FRONT, *ANYWHERE, *LINUX, *ELSEWHERE}))
def test_python_can_be_pasted(page: str) -> None:
    """Python code can be pasted at the prompt, where a blank line must end a `with` or a `for`."""
    for block in blocks(page):
        if block.language != "python" or block.file is not None:
            continue
        compiler, pending = codeop.CommandCompiler(), list[str]()
        where = f"docs/{page}, line {block.line}"
        for line in [*block.text.splitlines(), ""]:
            pending.append(line)
            if compiler("\n".join(pending), where, "single") is not None:
                pending.clear()
        assert not any(pending), where


@pytest.mark.parametrize("page", ANYWHERE)
def test_anywhere(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Reader(tmp_path).follow(page) >= ANYWHERE[page]


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler: cc")
@linux  # nearest the function: pytest gives this reason if both marks skip
@pytest.mark.parametrize("page", LINUX)
def test_on_linux(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ".state"))  # as the page's shell has it
    assert Reader(tmp_path).follow(page) >= LINUX[page]


@linux
def test_the_front_page(tmp_path: Path) -> None:
    with Child64() as child:
        address = child.areas["rw"]
        assert Reader(tmp_path, pid=child.pid, address=address).follow(FRONT) == 1
        held = child.read(address, 16)
    assert held == (0x401000).to_bytes(8, "little") + (0x401040).to_bytes(8, "little")
