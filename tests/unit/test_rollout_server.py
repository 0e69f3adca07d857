"""Rollouts through a process server: what needs no server. tests/dbgeng has the rest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pydbgwrite import DebugEngineError, Patch, PatchEntry, rollout
from pydbgwrite._messages.windows import without_password
from pydbgwrite.rollout.api import _server_again
from pydbgwrite.rollout.choice import Choice, recorded_choice
from pydbgwrite.rollout.there import There

OPTIONS = "tcp:server=target-machine,port=5005,password=open-sesame"


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"options": 5, "program": "shop"}, TypeError, "options must be a str"),
        ({"options": " ", "program": "shop"}, ValueError, "tcp:server=HOST"),
        ({"options": OPTIONS}, ValueError, "all processes of a machine are no target"),
        ({"options": OPTIONS, "program": r"C:\shop.exe"}, ValueError, "must be an image name"),
        ({"options": OPTIONS, "program": "bin/shop"}, ValueError, "must be an image name"),
        ({"options": OPTIONS, "pids": []}, ValueError, "process ids, at least one"),
        ({"options": OPTIONS, "pids": [10**5000]}, ValueError, "got too long to show"),
    ],
)
def test_what_is_not_valid(given: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        rollout.process_server(**given)
    assert text in str(caught.value) and "open-sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "without"),
    [
        (OPTIONS, "tcp:server=target-machine,port=5005"),
        ("tcp:password=a b,server=x,port=1", "tcp:server=x,port=1"),
        ("npipe:server=x, Password = secret ,pipe=y", "npipe:server=x,pipe=y"),
        ("tcp:server=::1,port=1,password=", "tcp:server=::1,port=1"),
        ("tcp:server=x,port=1", "tcp:server=x,port=1"),
        ("password=secret", ""),
    ],
)
def test_options_without_their_password(options: str, without: str) -> None:
    assert without_password(options) == without


def test_choices_of_ledgers() -> None:
    """Earlier versions have written no server."""
    assert recorded_choice(["shop", None, None, None, [1, 2]]) == Choice("shop", pids=(1, 2))
    found = recorded_choice(["shop", None, None, None, None, "tcp:server=x,port=1"])
    assert str(found) == "program shop, process server tcp:server=x,port=1"


class _Session:
    """A session whose process has such a first thread, and has begun at such a second."""

    def __init__(self, thread: int, begun: int) -> None:
        self._life = thread, 1_000_000 + begun, 1_000_000

    def _process_life(self) -> tuple[int, int, int]:
        return self._life


#: 2026-01-01 in seconds since 1970, and as a thread's time of creation.
SECOND = 1_767_225_600
THREAD = (SECOND + 11_644_473_600) * 10**7 + 123


@pytest.mark.parametrize(
    ("started", "thread", "begun", "expected"),
    [
        (THREAD, THREAD, SECOND, None),
        (THREAD, THREAD, SECOND + 100, None),  # the clock was set in between
        (THREAD, THREAD + 1, SECOND - 50, "its first thread has ended"),
        (THREAD, THREAD + 10**9, SECOND + 1, "its first thread has ended"),
        (THREAD, THREAD + 10**9, SECOND + 2, "its first thread has ended"),
        (THREAD, THREAD + 10**9, SECOND + 3, ""),
        ("", THREAD, SECOND, "could not be identified"),
    ],
)
def test_which_process_it_is(
    started: object, thread: int, begun: int, expected: str | None
) -> None:
    session: Any = _Session(thread, begun)
    found = There(OPTIONS).differs(session, 4, str(started))
    if expected:
        assert found is not None and expected in found
    else:
        assert found == expected


def test_an_engine_that_does_not_tell() -> None:
    class Silent:
        def _process_life(self) -> tuple[int, int, int]:
            raise DebugEngineError("GetSystemObjectInformation failed")

    session: Any = Silent()
    found = There(OPTIONS).differs(session, 4, str(THREAD))
    assert found is not None and found.startswith("nothing proves")


def test_files_of_servers_are_apart() -> None:
    """The password is no part of it: it can be changed."""
    first, other = There(OPTIONS), There(OPTIONS.replace("5005", "5006"))
    assert first.name == "tcp:server=target-machine,port=5005"
    assert first.key == There(first.name).key != other.key
    assert len(first.key) == 24


def header(server: str | None, *, password: bool) -> dict[str, Any]:
    """Return what a ledger has of a rollout through such a server."""
    options = {"password": password}
    return {"choice": ["shop", None, None, None, None, server], "options": options}


def test_a_server_is_given_again() -> None:
    place = without_password(OPTIONS)
    assert _server_again(header(None, password=False), None) is None
    assert _server_again(header(place, password=False), None) == place
    for password in (False, True):
        assert _server_again(header(place, password=password), OPTIONS) == OPTIONS
    with pytest.raises(ValueError, match="has a password, which is not kept: give server="):
        _server_again(header(place, password=True), None)
    for was in (None, place.replace("5005", "5006")):
        with pytest.raises(ValueError, match="server= must be as it was") as caught:
            _server_again(header(was, password=False), OPTIONS)
        assert "open-sesame" not in str(caught.value)


def test_several_machines_and_one_server(tmp_path: Path) -> None:
    """Each of them would patch the same processes."""
    patch, chosen = Patch([PatchEntry(0x10000, [1])]), Choice("shop", server="tcp:server=x,port=1")
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="from one machine"):
        rollout.apply(patch, chosen, {"one": pool, "two": pool}, ledger=tmp_path / "ledger")
    assert not list(tmp_path.iterdir())
