"""Brackets and names in calls on every engine, and chains of pointers that lead nowhere."""

from __future__ import annotations

import pytest
from support.cases import EngineCase

from pydbgwrite import AddressError, DebugEngineError, ExpectationError, Patch, PatchEntry


def first_pointer(case: EngineCase) -> int:
    return int.from_bytes(case.image()[: case.pointer_size], "little")


def test_a_pointer_that_is_stored(readable_case: EngineCase) -> None:
    case = readable_case
    stored = first_pointer(case)
    for text in (f"[{case.rw:#x}]", f"[{case.rw}]", f"[{case.rw - 8:#x}+8]", f"[{case.rw + 8}-8]"):
        assert case.session.resolve(text) == stored
    if stored + 8 < 2**64:
        assert case.session.resolve(f"[{case.rw:#x}]+8") == stored + 8
    assert case.session.resolve(f"[{case.rw:#x}]-0x1") == stored - 1


def test_as_many_levels_as_are_written(engine_case: EngineCase) -> None:
    case = engine_case
    session, rw, size = case.session, case.rw, case.pointer_size
    session.write_pointers(rw, [rw + size * index for index in range(1, 30)])
    for levels in (1, 2, 3, 29):
        text = "[" * levels + f"{rw:#x}" + "]" * levels
        assert session.resolve(text) == rw + size * levels
    text = "[" * 10 + f"{rw:#x}" + f"+{size}]" * 10
    assert session.resolve(f"{text}+4") == rw + size * 20 + 4
    session.write_pointers(rw, [rw])
    assert session.resolve("[" * 256 + f"{rw}" + "]" * 256) == rw


def test_a_pointer_need_not_be_aligned(engine_case: EngineCase) -> None:
    case = engine_case
    case.session.write_pointers(case.rw + 1, [case.rw + 0x43])
    case.session.write_pointers(case.rw + 0x43, [7])
    assert case.session.resolve(f"[[{case.rw + 1:#x}]]") == 7


def test_chains_that_lead_nowhere(engine_case: EngineCase) -> None:
    """The error names the level that failed, and what was read before it."""
    case = engine_case
    session, rw = case.session, case.rw
    session.write_pointers(rw, [0, case.end, case.end - 3])
    second, third = rw + case.pointer_size, rw + 2 * case.pointer_size

    def message(text: str) -> str:
        with pytest.raises(AddressError) as caught:
            session.resolve(text)
        assert len(str(caught.value)) < 600
        return str(caught.value)

    null = message(f"[[[{rw:#x}]+0x18]+8]+4")
    assert f"level 2 of 3, '[[{rw:#x}]+0x18]', can't be read" in null
    assert f"at 0x18; '[{rw:#x}]' is 0x0, a null pointer, read at {rw:#x}" in null
    unmapped = message(f"[[{second:#x}]]")
    assert f"level 2 of 2, '[[{second:#x}]]', can't be read" in unmapped
    assert f"'[{second:#x}]' is {case.end:#x}, read at {second:#x}" in unmapped
    with pytest.raises(DebugEngineError) as plain:
        session.read(case.end, case.pointer_size)
    assert unmapped.endswith(f"; {plain.value}")
    odd = message(f"[[{third:#x}]]")
    assert f"at {case.end - 3:#x}" in odd and "is not a multiple of" in odd
    session.write_pointers(third, [2 ** (8 * case.pointer_size) - 1])
    assert "level 2 of 2" in message(f"[[{third:#x}]]")  # it goes past the end of all memory
    first = message(f"[{case.end:#x}]")
    assert "level" not in first and f"at {case.end:#x}" in first
    for unreadable in case.unreadable:
        assert f"at {unreadable:#x}" in message(f"[{unreadable:#x}]")
    with pytest.raises(OverflowError, match=r"-0x8: it must be .*|\[.*is -0x8"):
        session.resolve(f"[{rw:#x}]-8")


def test_the_end_of_the_target(engine_case: EngineCase) -> None:
    from pydbgwrite import NoTargetError

    engine_case.take_away()
    with pytest.raises((NoTargetError, AddressError)):
        engine_case.session.resolve(f"[{engine_case.rw:#x}]")


def test_names_in_every_call(engine_case: EngineCase) -> None:
    case = engine_case
    session, rw, size = case.session, case.rw, case.pointer_size
    at = f"[{rw:#x}]"
    session.write_pointers(f"{rw:#x}", [rw + 0x40])
    assert session.write_pointers(at, ["0x10", 0x20, f"{at}+1"]) == 3
    assert list(session.read_pointers(at, 3)) == [0x10, 0x20, rw + 0x41]
    assert session.write_pointers(f"{at}", iter([f"{at}+2"]), expect="16", verify=True) == 1
    assert session.write_pointers(at, ("1", "2"), expect=[f"{at}+2", 0x20], verify=True) == 2
    places: list[int | str] = [at, rw + 0x40 + size, f"{at}+{2 * size}"]
    assert list(session.read_scattered(places)) == [1, 2, rw + 0x41]
    written = session.write_scattered(places, [at, "5", 6], expect=["1", 2, f"{at}+1"], verify=True)
    assert written == 3
    assert list(session.read_scattered(iter(places))) == [rw + 0x40, 5, 6]
    session.write(at, b"\1" * size, expect=(rw + 0x40).to_bytes(size, "little"))
    assert session.read(at, 4) == b"\1\1\1\1"
    assert session.query(at) == session.query(rw + 0x40)
    assert session.query(at) == session.query(address=at)


def test_each_pointer_of_a_call_is_read_once(engine_case: EngineCase) -> None:
    """All names of a call are resolved before anything is written."""
    case = engine_case
    session, rw, size = case.session, case.rw, case.pointer_size
    session.write_pointers(rw, [rw + 0x40, 2])
    places: list[int | str] = [rw, f"[{rw:#x}]", f"[{rw:#x}]+{size}"]
    session.write_scattered(places, [f"[{rw:#x}]+8", f"[{rw:#x}]", 3])
    assert list(session.read_pointers(rw + 0x40, 2)) == [rw + 0x40, 3]
    assert session.resolve(f"[{rw:#x}]") == rw + 0x48


@pytest.mark.parametrize(
    ("pointers", "error", "words"),
    [
        ([1, "no-such-module!x"], AddressError, r"^pointers\[1\]: .*no-such-module"),
        ([1, 2, "[8]"], AddressError, r"^pointers\[2\]: '\[8\]'.* at 0x8"),
        ([1, "1_0"], ValueError, r"^pointers\[1\] '1_0': .*underscores"),
        ([1, ""], ValueError, r"^pointers\[1\] '': it is empty"),
        ([1, "-1"], OverflowError, r"^pointers\[1\] '-1': .*no sign"),
        ([1, b"1"], TypeError, r"^pointers\[1\] must be an int"),
        ("0x10", TypeError, r"got <class 'str'>, '0x10': names go into a list"),
        ("x" * 10**6, TypeError, r"names go into a list"),
    ],
)
def test_bad_elements(
    engine_case: EngineCase, pointers: object, error: type[Exception], words: str
) -> None:
    case = engine_case
    before = case.session.read(case.rw, 64)
    with pytest.raises(error, match=words) as caught:
        case.session.write_pointers(case.rw, pointers)  # type: ignore[arg-type]
    assert type(caught.value) is error and len(str(caught.value)) < 1000
    assert case.session.read(case.rw, 64) == before
    if isinstance(pointers, list) and error is not TypeError:
        words = words.replace("pointers", "expect")
        with pytest.raises(error, match=words):
            case.session.write_pointers(case.rw, [1] * len(pointers), expect=pointers)
        with pytest.raises(error, match=words.replace("expect", "addresses")):
            case.session.read_scattered(pointers)
        with pytest.raises(error, match=r"^address"):
            case.session.read(pointers[-1], 8)
        with pytest.raises(error, match=r"^expect"):
            case.session.write_pointers(case.rw, [1], expect=pointers[-1])


def test_the_raw_layer_takes_numbers(engine_case: EngineCase) -> None:
    spaces = engine_case.session.data_spaces
    with pytest.raises(TypeError, match=r"offset must be an int.*session\.resolve\(\)"):
        spaces.read_virtual("0x10", 8)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"ptrs\[0\] must be an int.*session\.resolve\(\)"):
        spaces.write_pointers_virtual(engine_case.rw, ["0x10"])  # type: ignore[list-item]


def test_patches_take_brackets(engine_case: EngineCase) -> None:
    """A preview reads each pointer once: what it shows is what apply() expects and writes."""
    case = engine_case
    session, rw = case.session, case.rw
    session.write_pointers(rw, [rw + 0x40])
    session.write_pointers(rw + 0x40, [1, 2])
    at = f"[{rw:#x}]"
    patch = Patch([PatchEntry(at, [f"{at}+8", "3"], expect=["1", 2]), PatchEntry(rw, [f"{at}+1"])])
    preview = patch.preview(session)
    assert preview.ok, preview.problems
    assert [entry.address for entry in preview.entries] == [rw + 0x40, rw]
    patch.apply(session)
    assert list(session.read_pointers(rw + 0x40, 2)) == [rw + 0x48, 3]
    assert list(session.read_pointers(rw, 1)) == [rw + 0x41]
    broken = Patch([PatchEntry("[[8]]+4", [1])]).preview(session)
    assert not broken.ok and broken.kind == "access"
    assert "level 1 of 2" in broken.problems[0]


def test_a_chain_that_leads_elsewhere_later(engine_case: EngineCase) -> None:
    """What was shown is what is written: a pointer that has moved since then ends it."""
    case = engine_case
    session, rw = case.session, case.rw
    session.write_pointers(rw, [rw + 0x40])
    session.write_pointers(rw + 0x40, [1, 1, 1])
    patch = Patch([PatchEntry(f"[{rw:#x}]", [5])])
    shown = patch.preview(session)
    session.write_pointers(rw, [rw + 0x40 + 2 * case.pointer_size])
    with pytest.raises(ExpectationError):
        patch.apply(session, expect=shown)
    assert list(session.read_pointers(rw + 0x40, 3)) == [1, 1, 1]
    session.write_pointers(rw, [rw + 0x40])
    assert patch.apply(session, expect=shown) == 1
    assert list(session.read_pointers(rw + 0x40, 3)) == [5, 1, 1]
