"""Names among the arguments of a call: when they are resolved, and what may happen meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.inputs import BASE, nothing_written

import pydbgwrite
from pydbgwrite import AddressError, ReadOnlyError, Session, SessionBusyError, SessionClosedError
from pydbgwrite._symbols.model import Demangled
from pydbgwrite._symbols.signatures import matching


class Acting(str):
    """A text that calls a function when it is looked up."""

    __slots__ = ("act",)
    act: Callable[[], object]

    def __hash__(self) -> int:
        self.act()
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)


def acting(text: str, act: Callable[[], object]) -> Acting:
    made = Acting(text)
    made.act = act
    return made


def test_a_session_that_is_closed_while_a_name_is_resolved(session: Session) -> None:
    name = acting(f"[{BASE:#x}]", session.close)
    with pytest.raises(SessionClosedError):
        session.write_pointers(BASE, [1, name, 2])
    assert session.closed


def test_the_session_can_be_used_while_a_name_is_resolved(session: Session) -> None:
    seen: list[int] = []
    name = acting("0x77", lambda: seen.append(session.resolve(f"[{BASE:#x}]")))
    session.write_pointers(BASE, [5])
    session.write_pointers(BASE, [6, name])
    assert set(seen) == {5}
    assert list(session.read_pointers(BASE, 2)) == [6, 0x77]


def test_other_elements_still_find_it_busy(session: Session) -> None:
    class Busy:
        def __index__(self) -> int:
            return session.read_pointers(BASE, 1)[0]

    with nothing_written(session), pytest.raises(SessionBusyError):
        session.write_pointers(BASE, ["1", Busy()])
    session.write_pointers(BASE, [1])


def test_a_list_that_changes_meanwhile(session: Session) -> None:
    values: list[Any] = [1, 2]
    values[1] = acting("0x77", values.clear)
    with nothing_written(session), pytest.raises(RuntimeError, match="changed its size"):
        session.write_pointers(BASE, values)


def test_an_exception_of_the_text_itself(session: Session) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with nothing_written(session), pytest.raises(ZeroDivisionError):
        session.write_pointers(BASE, [1, "[65536]", acting("3", fail)])
    session.write_pointers(BASE, [1])


def test_a_session_that_may_not_write() -> None:
    with pydbgwrite.simulate([(BASE, 64)], writable=False) as session:
        with pytest.raises(ReadOnlyError):
            session.write_pointers("no-such-module!x", ["no-such-module!y"])
        with pytest.raises(AddressError, match=r"^address: "):
            session.read_pointers("no-such-module!x", 1)


def test_within_a_transaction(session: Session) -> None:
    session.write_pointers(BASE, [BASE + 64])
    with session.transaction() as transaction:
        session.write_pointers(f"[{BASE:#x}]", [f"[{BASE:#x}]+1", "2"])
        assert list(session.read_pointers(BASE + 64, 2)) == [BASE + 65, 2]
        transaction.undo()
    assert list(session.read_pointers(BASE + 64, 2)) == [0, 0]


def test_a_narrow_target(narrow: Session) -> None:
    """A pointer is as long as the target's."""
    narrow.write_pointers(BASE, [BASE + 16, 0x99999999])
    assert narrow.resolve(f"[{BASE:#x}]") == BASE + 16
    assert narrow.resolve(f"[{BASE + 4:#x}]") == 0x99999999
    with pytest.raises(pydbgwrite.PointerRangeError) as caught, nothing_written(narrow):
        narrow.write_pointers(f"[{BASE:#x}]", ["1", f"[{BASE + 4}]+0x100000000"])
    assert caught.value.index == 1


def test_many_names(session: Session) -> None:
    session.write_pointers(BASE, [7])
    name = f"[{BASE:#x}]+1"
    assert session.write_pointers(BASE, [name] * 2000) == 2000
    assert set(session.read_pointers(BASE, 2000)) == {8}


KNOWN = [
    Demangled(str(number), text)
    for number, text in enumerate(
        [
            "shapes::Square::area() const",
            "shapes::Square::area(int) const",
            "shapes::Square::only(int, std::vector<int, std::allocator<int> > const&)",
            "shapes::Square::operator()(int)",
            "shapes::operator<<(shapes::Square const&, int)",
            "shapes::operator<(shapes::Square const&, shapes::Square const&)",
            "int shapes::scaled<int, 7>(int)",
            "unsigned long shapes::scaled<unsigned long, -1>(unsigned long)",
            "vtable for shapes::Square",
            "(anonymous namespace)::hidden(char)",
            "shapes::Square::operator int() const",
            "run(int)",
            "run(int) [clone .cold]",
            "<shop::Square as core::fmt::Debug>::fmt",
            "main",
        ]
    )
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shapes::Square::area() const", [0]),
        ("shapes::Square::area()const", [0]),
        ("shapes::Square::area(int)", [1]),
        ("shapes::Square::area", [0, 1]),
        ("shapes::Square::only", [2]),
        ("shapes::Square::only(int,std::vector<int,std::allocator<int>>const &)", [2]),
        ("shapes::Square::operator()", [3]),
        ("shapes::Square::operator()(int)", [3]),
        ("shapes::operator<<", [4]),
        ("shapes::operator<", [5]),
        ("shapes::scaled<int, 7>", [6]),
        ("shapes::scaled<int,7>(int)", [6]),
        ("int shapes::scaled<int, 7>(int)", [6]),
        ("shapes::scaled<unsigned long, -1>", [7]),
        ("vtable for shapes::Square", [8]),
        ("(anonymous namespace)::hidden", [9]),
        ("shapes::Square::operator int", [10]),
        ("run", [11]),
        ("run(int)", [11]),
        ("run(int) [clone .cold]", [12]),
        ("<shop::Square as core::fmt::Debug>::fmt", [13]),
        ("main", [14]),
        ("shapes::Square", []),
        ("area", []),
        ("", []),
        ("(" * 1000, []),
    ],
)
def test_signatures(text: str, expected: list[int]) -> None:
    """A name is found with all of it, without its qualifiers, and without its parameters."""
    assert [int(each.name) for each in matching(text, KNOWN)] == expected
