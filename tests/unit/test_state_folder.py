"""The state folder: nothing is read or trusted that another user can have put there."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pydbgwrite._state_folder import StateFolder

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs POSIX modes and owners")
ROOT = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0,
    reason="needs POSIX owners" if sys.platform == "win32" else "needs root: other owners",
)
NOBODY = 65534
READ, NEW = os.O_RDONLY, os.O_RDWR | os.O_CREAT | os.O_EXCL


def put(folder: StateFolder, name: str, data: bytes = b"x") -> Path:
    """Make a file as a command does."""
    with folder.open(name, NEW) as file:
        file.write(data)
    return Path(folder.path_of(name))


def test_made_and_found(state_folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        StateFolder("journals", create=False)
    with StateFolder("journals", create=True) as folder:
        assert Path(folder.path) == state_folder.resolve()
        put(folder, "a", b"here")
    with StateFolder("journals", create=False) as folder:
        assert folder.names() == ["a"]
        with folder.open("a") as file:
            assert file.read() == b"here"
        with pytest.raises(FileExistsError):
            folder.open("a", NEW)
        folder.remove("a")
        folder.remove("a")
        assert folder.names() == []
        assert folder.stat("a") is None


@LINUX
def test_modes(state_folder: Path) -> None:
    with StateFolder("journals", create=True) as folder:
        file = put(folder, "a")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for made in (state_folder, state_folder.parent):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700


@LINUX
@pytest.mark.parametrize("which", ["pydbgwrite", "journals"])
@pytest.mark.parametrize("mode", [0o755, 0o770, 0o702, 0o701, 0o1777])
def test_wide_folders(state_folder: Path, which: str, mode: int) -> None:
    StateFolder("journals", create=True).close()
    wide = state_folder if which == "journals" else state_folder.parent
    wide.chmod(mode)
    for create in (False, True):
        with pytest.raises(PermissionError, match="chmod 700") as refused:
            StateFolder("journals", create=create)
        assert refused.value.filename == str(wide)


@LINUX
@pytest.mark.parametrize("which", ["pydbgwrite", "journals"])
def test_folders_that_are_links(state_folder: Path, which: str) -> None:
    elsewhere = state_folder.parents[1] / "elsewhere"
    (elsewhere / "journals").mkdir(0o700, parents=True)
    elsewhere.chmod(0o700)
    if which == "pydbgwrite":
        state_folder.parent.symlink_to(elsewhere)
    else:
        state_folder.parent.mkdir(0o700)
        state_folder.symlink_to(elsewhere / "journals")
    for create in (False, True):
        with pytest.raises(PermissionError, match="link"):
            StateFolder("journals", create=create)


@LINUX
def test_files_that_others_may_have_made(state_folder: Path) -> None:
    with StateFolder("journals", create=True) as folder:
        put(folder, "wide").chmod(0o620)
        (state_folder / "link").symlink_to(put(folder, "a"))
        (state_folder / "hard").hardlink_to(put(folder, "b"))
        os.mkfifo(state_folder / "pipe")
        (state_folder / "folder").mkdir()
        for name, said in (("wide", "0620"), ("link", "link"), ("hard", "2 names"), ("b", "2")):
            for flags in (READ, os.O_RDWR):
                with pytest.raises(PermissionError, match=said):
                    folder.open(name, flags)
        for name in ("pipe", "folder"):
            with pytest.raises(OSError, match=r"regular|directory"):
                folder.open(name)
        with pytest.raises(FileExistsError):
            folder.open("link", NEW)


@LINUX
def test_the_folder_is_walked_once(state_folder: Path) -> None:
    """A folder that takes its place later is not looked at."""
    with StateFolder("journals", create=True) as folder:
        put(folder, "a", b"true")
        state_folder.rename(state_folder.with_name("moved"))
        state_folder.mkdir()
        (state_folder / "a").write_bytes(b"planted")
        with folder.open("a") as file:
            assert file.read() == b"true"


@LINUX
def test_an_own_link_to_the_state(state_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """People move their state to another disk by a link of their own: above pydbgwrite's folder."""
    home = state_folder.parents[1]
    (home / "home").mkdir()
    (home / "home" / ".local").symlink_to(home / "disk")
    (home / "disk").mkdir()
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(home / "home"))
    with StateFolder("journals", create=True) as folder:
        assert Path(folder.path) == (home / "disk/state/pydbgwrite/journals").resolve()


@LINUX
@pytest.mark.parametrize("given", ["", "relative/state", "./state"])
def test_a_relative_variable_is_ignored(
    state_folder: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", given)
    monkeypatch.setenv("HOME", str(state_folder.parent))
    with StateFolder(create=True) as folder:
        assert Path(folder.path).is_relative_to(state_folder.parent.resolve())


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """Yield the home of another user, which sudo -E has kept, and root's own."""
    import pwd

    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        base = Path(name)
        base.chmod(0o755)
        theirs, own = base / "theirs", base / "root"
        theirs.mkdir()
        own.mkdir()
        os.chown(theirs, NOBODY, NOBODY)
        monkeypatch.setattr(pwd, "getpwuid", lambda user: SimpleNamespace(pw_dir=str(own)))
        monkeypatch.delenv("XDG_STATE_HOME")
        monkeypatch.setenv("HOME", str(theirs))
        yield theirs, own


@ROOT
@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("variable", ["HOME", "XDG_STATE_HOME"])
def test_root_with_the_environment_of_another(
    others: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, variable: str, there: bool
) -> None:
    theirs, own = others
    monkeypatch.setenv(variable, str(theirs))
    if there:  # even what belongs to root: the user could exchange it
        (theirs / ".local/state/pydbgwrite/journals").mkdir(0o700, parents=True)
        (theirs / "pydbgwrite/journals").mkdir(0o700, parents=True)
    with StateFolder("journals", create=True) as folder:
        assert Path(folder.path) == own.resolve() / ".local/state/pydbgwrite/journals"
    assert list(theirs.rglob("*.journal")) == []
    if not there:
        assert not list(theirs.iterdir())


@ROOT
def test_root_follows_no_link_of_another(
    others: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link to a folder of root's, in a folder that everybody may write to."""
    theirs, own = others
    target, link = theirs.parent / "etc", theirs.parent / "link"
    target.mkdir()
    link.symlink_to(target)
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(link))
    with StateFolder("journals", create=True) as folder:
        assert Path(folder.path).is_relative_to(own.resolve())
    assert not list(target.iterdir())


@ROOT
def test_a_home_of_another_in_the_password_file(
    others: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, own = others
    os.chown(own, NOBODY, NOBODY)
    with pytest.raises(PermissionError, match="another user"):
        StateFolder("journals", create=True)


@ROOT
@pytest.mark.parametrize("which", ["pydbgwrite", "journals", "file"])
def test_another_owner(state_folder: Path, which: str) -> None:
    with StateFolder("journals", create=True) as folder:
        file = put(folder, "a")
        planted = {"file": file, "journals": state_folder, "pydbgwrite": state_folder.parent}[which]
        os.chown(planted, NOBODY, NOBODY)
        if which == "file":
            with pytest.raises(PermissionError, match="belongs to the user 65534"):
                folder.open("a")
            return
    for create in (False, True):
        with pytest.raises(PermissionError, match="belongs to the user 65534"):
            StateFolder("journals", create=create)


@ROOT
def test_a_user_with_the_home_of_another(others: tuple[Path, Path]) -> None:
    """`su` can keep HOME. The password file names the user's own then."""
    _, own = others
    (own.parent / "theirs").chmod(0o777)
    os.chown(own.parent / "theirs", 12345, 12345)
    os.chown(own, NOBODY, NOBODY)
    child = os.fork()
    if not child:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            with StateFolder("journals", create=True) as folder:
                code = 0 if Path(folder.path).is_relative_to(own.resolve()) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
