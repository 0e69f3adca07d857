"""Lists, tuples and other iterables of ints are converted and checked whole before the write."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import count, islice
from types import MappingProxyType
from typing import Any

import pytest
from support.inputs import BASE, Index, IntSubclass, nothing_written, pointers

from pydbgwrite import Session, SessionBusyError, _from_c

VALUES = list(pointers(200))


class Sequence:
    """An object with the old iteration protocol: only __getitem__."""

    def __getitem__(self, index: int) -> int:
        return VALUES[index]


class ListOfItsOwn(list[int]):
    """A list whose __iter__ and __len__ are wrong; the call uses the list itself."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[int]:
        raise AssertionError


GOOD: dict[str, Callable[[], Any]] = {
    "list": lambda: VALUES,
    "tuple": lambda: tuple(VALUES),
    "generator": lambda: (v for v in VALUES),
    "iterator": lambda: iter(VALUES),
    "deque": lambda: deque(VALUES),
    "dict values": lambda: dict(enumerate(VALUES)).values(),
    "islice": lambda: islice(VALUES, len(VALUES)),
    "__getitem__": Sequence,
    "__index__": lambda: [Index(v) for v in VALUES],
    "subclass of int": lambda: [IntSubclass(v) for v in VALUES],
    "subclass of list": lambda: ListOfItsOwn(VALUES),
    "mixed": lambda: [Index(v) if i % 2 else v for i, v in enumerate(VALUES)],
}


@pytest.mark.parametrize("kind", GOOD)
def test_good(session: Session, kind: str) -> None:
    assert session.write_pointers(BASE, GOOD[kind]()) == len(VALUES)
    assert list(session.read_pointers(BASE, len(VALUES))) == VALUES
    session.data_spaces.write_pointers_virtual(BASE + 8, GOOD[kind]())
    assert list(session.read_pointers(BASE + 8, len(VALUES))) == VALUES


def test_range(session: Session) -> None:
    assert session.write_pointers(BASE, range(3, 500, 7)) == 71
    assert list(session.read_pointers(BASE, 71)) == list(range(3, 500, 7))


def test_empty(session: Session) -> None:
    empty: list[Any] = [[], (), iter([]), range(0), deque()]
    for given in empty:
        with nothing_written(session):
            assert session.write_pointers(BASE, given) == 0


@pytest.mark.parametrize(
    "given",
    [
        *("text", "", {1: 2}, {}, {1, 2}, set(), frozenset({3}), {1: 2}.keys(), {1: 2}.items()),
        *(MappingProxyType({1: 2}), None, 5, 5.0, object(), len, int),
    ],
    ids=lambda given: type(given).__name__,
)
def test_not_a_sequence_of_pointers(session: Session, given: Any) -> None:
    for write in (session.write_pointers, session.data_spaces.write_pointers_virtual):
        with nothing_written(session), pytest.raises(TypeError) as caught:
            write(BASE, given)
        assert repr(type(given)) in str(caught.value)
        assert "iterable of ints" in str(caught.value)


BAD_ELEMENTS: list[tuple[Any, type[Exception]]] = [
    (-1, OverflowError),
    (2**64, OverflowError),
    (-(2**63), OverflowError),
    (10**30, OverflowError),
    (1 << 100_000, OverflowError),
    (-1 << 100_000, OverflowError),
    (Index(-1), OverflowError),
    (Index(2**64), OverflowError),
    (True, TypeError),
    (False, TypeError),
    (1.0, TypeError),
    (1.5, TypeError),
    (float("nan"), TypeError),
    (Fraction(4, 2), TypeError),
    (b"1", TypeError),
    (None, TypeError),
    ([1], TypeError),
]


@pytest.mark.parametrize("wrap", [list, tuple, iter, deque], ids=lambda wrap: wrap.__name__)
@pytest.mark.parametrize(
    ("element", "kind"), BAD_ELEMENTS, ids=[str(i) for i in range(len(BAD_ELEMENTS))]
)
def test_bad_elements(
    session: Session, wrap: Callable[[list[Any]], Any], element: Any, kind: type[Exception]
) -> None:
    values = [*VALUES[:150], element, *VALUES[150:]]
    with nothing_written(session), pytest.raises(kind) as caught:
        session.write_pointers(BASE, wrap(values))
    message = str(caught.value)
    assert type(caught.value) is kind
    assert "pointers[150]" in message
    if kind is TypeError:
        assert repr(type(element)) in message
    elif isinstance(element, int) and element.bit_length() > 256:
        assert "int of 100001 bits" in message
    else:
        assert str(int(element.__index__())) in message


def test_the_raw_layer_names_its_own_parameter(session: Session) -> None:
    with pytest.raises(OverflowError, match=r"ptrs\[1\]"):
        session.data_spaces.write_pointers_virtual(BASE, [0, -1])


class Raises:
    """An object whose __index__ calls `act`, which can raise, and then returns 7."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act

    def __index__(self) -> int:
        self.act()
        return 7


def test_what_elements_raise_goes_on(session: Session) -> None:
    def fail() -> None:
        raise ZeroDivisionError("mine")

    def interrupt() -> None:
        raise KeyboardInterrupt

    wraps: tuple[Callable[[list[Any]], Any], ...] = (list, iter, tuple)
    for wrap in wraps:
        with nothing_written(session), pytest.raises(ZeroDivisionError, match="mine"):
            session.write_pointers(BASE, wrap([1, Raises(fail), 3]))
        with nothing_written(session), pytest.raises(KeyboardInterrupt):
            session.write_pointers(BASE, wrap([1, Raises(interrupt), 3]))


def test_a_generator_that_raises(session: Session) -> None:
    def values() -> Iterator[int]:
        yield from VALUES
        raise LookupError("no more")

    with nothing_written(session), pytest.raises(LookupError, match="no more"):
        session.write_pointers(BASE, values())


def test_iter_that_raises(session: Session) -> None:
    class Broken:
        def __iter__(self) -> Iterator[int]:
            raise RuntimeError("not today")

    with nothing_written(session), pytest.raises(RuntimeError, match="not today"):
        session.write_pointers(BASE, Broken())


@pytest.mark.parametrize("wrap", [list, tuple, iter], ids=lambda wrap: wrap.__name__)
def test_a_list_changed_by_its_own_elements(
    session: Session, wrap: Callable[[list[Any]], Any]
) -> None:
    """A shorter or longer list is refused if the call reads it itself. No call reads past it."""
    values: list[Any] = []
    changes: list[Callable[[], object]] = [
        values.clear,
        values.pop,
        lambda: values.append(5),
        lambda: values.extend(range(1000)),
    ]
    for change in changes:
        values[:] = [1, 2, Raises(change), 4, 5]
        given = wrap(values)
        if wrap is list:
            given = values
            with nothing_written(session), pytest.raises(RuntimeError, match="changed its size"):
                session.write_pointers(BASE, given)
        else:
            written = session.write_pointers(BASE, given)
            assert list(session.read_pointers(BASE, 3)) == [1, 2, 7]
            assert written >= 3


def test_a_list_changed_and_an_element_that_raises(session: Session) -> None:
    """The caller gets the exception that the element raised."""
    values: list[Any] = []

    def act() -> None:
        values.clear()
        raise ZeroDivisionError("mine")

    values[:] = [1, Raises(act), 3]
    with nothing_written(session), pytest.raises(ZeroDivisionError, match="mine"):
        session.write_pointers(BASE, values)


def test_a_list_whose_elements_are_replaced(session: Session) -> None:
    values: list[Any] = []

    def replace() -> None:
        values[0] = values[3] = 99

    values[:] = [1, Raises(replace), 3, 4]
    assert session.write_pointers(BASE, values) == 4
    assert list(session.read_pointers(BASE, 4)) == [1, 7, 3, 99]


def test_index_of_the_wrong_kind(session: Session) -> None:
    class Liar:
        def __index__(self) -> Any:
            return "7"

    with nothing_written(session), pytest.raises(TypeError, match="__index__ returned non-int"):
        session.write_pointers(BASE, [1, Liar()])


def test_elements_that_use_the_session(session: Session) -> None:
    for act in (
        lambda: session.write_pointers(BASE, [1]),
        lambda: session.close(),
        lambda: session.data_spaces.read_virtual(BASE, 8),
    ):
        with nothing_written(session), pytest.raises(SessionBusyError):
            session.write_pointers(BASE, [1, Raises(act)])


def test_an_endless_iterable_stops_at_a_bad_element(session: Session) -> None:
    with nothing_written(session), pytest.raises(OverflowError, match=r"pointers\[100000\]"):
        session.write_pointers(BASE, count(2**64 - 100_000))


def test_an_object_that_fails_to_say_what_it_is(session: Session) -> None:
    class Odd:
        @property  # type: ignore[misc]
        def __class__(self) -> type:
            raise RuntimeError("odd")

    with nothing_written(session), pytest.raises(RuntimeError, match=r"^odd$"):
        session.write_pointers(BASE, Odd())  # type: ignore[arg-type]


def test_why_an_object_is_not_iterable(session: Session) -> None:
    """The exception of its own code is the cause; one of Python itself would only repeat ours."""

    class Closed:
        def __iter__(self) -> Iterator[int]:
            raise TypeError("the database is closed")

    with nothing_written(session), pytest.raises(TypeError, match=r"pointers: got .*Closed") as own:
        session.write_pointers(BASE, Closed())
    assert repr(own.value.__cause__) == "TypeError('the database is closed')"
    with (
        nothing_written(session),
        pytest.raises(TypeError, match=r"pointers: got .*float") as plain,
    ):
        session.write_pointers(BASE, 5.0)  # type: ignore[arg-type]
    assert plain.value.__cause__ is None


@pytest.mark.parametrize("raised", [KeyboardInterrupt, ZeroDivisionError])
def test_a_signal_while_it_is_asked_where_an_exception_is_from(
    session: Session, monkeypatch: pytest.MonkeyPatch, raised: type[BaseException]
) -> None:
    """What its handler raises goes on, and nothing is written."""

    def interrupted(error: BaseException) -> bool:
        raise raised

    monkeypatch.setattr(_from_c, "is_from_handler", interrupted)
    released = memoryview(bytearray(8))
    released.release()
    calls: list[Callable[[], object]] = [
        lambda: session.write_pointers(BASE, released),
        lambda: session.write_pointers(BASE, [1], expect=released),
        lambda: session.write(BASE, released),
        lambda: session.write(BASE, memoryview(bytearray(8))[::2]),
        lambda: session.write_pointers(BASE, 5.0),  # type: ignore[arg-type]
    ]
    for call in calls:
        with nothing_written(session), pytest.raises(raised):
            call()


if sys.version_info >= (3, 12):  # the first with __buffer__

    class Buffer:
        """An object whose __buffer__ calls `act`, which can raise, and then refuses."""

        def __init__(self, act: Callable[[], object]) -> None:
            self.act = act

        def __buffer__(self, flags: int) -> memoryview:
            self.act()
            raise BufferError("no memory")

    def test_what_a_buffer_raises_goes_on(session: Session) -> None:
        """As from __index__, unless it refuses to be a buffer."""
        with nothing_written(session), pytest.raises(ZeroDivisionError):
            session.write_pointers(BASE, Buffer(lambda: 1 // 0))
        busy = Buffer(lambda: session.write_pointers(BASE, [1]))
        with nothing_written(session), pytest.raises(SessionBusyError):
            session.write_pointers(BASE, busy)
        refused = Buffer(lambda: None)
        words = r"Buffer'> does not export its memory \(no memory\)"
        with nothing_written(session), pytest.raises(TypeError, match=words):
            session.write_pointers(BASE, refused)

    def test_what_a_buffer_raises_when_it_is_asked_again(session: Session) -> None:
        """Also where the first answer would have been that there is no such memory."""
        asked: list[None] = []

        def second_time() -> None:
            asked.append(None)
            if len(asked) == 2:
                raise KeyboardInterrupt

        with nothing_written(session), pytest.raises(KeyboardInterrupt):
            session.write(BASE, Buffer(second_time))
        assert len(asked) == 2

    def test_what_a_buffer_that_may_be_a_number_raises(session: Session) -> None:
        class Number(Buffer):
            def __index__(self) -> int:
                return 1

        def interrupt() -> None:
            raise KeyboardInterrupt

        with nothing_written(session), pytest.raises(KeyboardInterrupt):
            session.write_pointers(BASE, [1], expect=Number(interrupt))
        words = r"expect: .*Number'> does not export its memory \(no memory\)"
        with nothing_written(session), pytest.raises(TypeError, match=words):
            session.write_pointers(BASE, [1], expect=Number(lambda: None))

    def test_an_exception_of_a_buffer_keeps_its_context(session: Session) -> None:
        """Also where it is raised in an except block."""

        class Failing(Buffer):
            def __buffer__(self, flags: int) -> memoryview:
                try:
                    raise KeyError("why")
                except KeyError:
                    raise BufferError("no memory")  # noqa: B904, its context is what is tested

        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            with nothing_written(session), pytest.raises(BufferError) as raised:
                session.write(BASE, Failing(list))
            assert repr(raised.value.__context__) == "KeyError('why')"
            with nothing_written(session), pytest.raises(TypeError, match="no memory") as ours:
                session.write_pointers(BASE, Failing(list))
            assert repr(ours.value.__cause__) == "BufferError('no memory')"
