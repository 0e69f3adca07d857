"""Each exception of the library leads to its exit code."""

from __future__ import annotations

import pytest

from pydbgwrite import errors
from pydbgwrite.cli.exit_codes import ExitCode, exit_code_of

CODES = {
    "AddressError": 3,
    "DebugEngineError": 3,
    "EngineNotFoundError": 3,
    "Error": 3,
    "ExpectationError": 1,
    "JournalError": 2,
    "NoTargetError": 3,
    "PatchError": 2,
    "PointerRangeError": 2,
    "ReadOnlyError": 3,
    "RolloutError": 3,
    "SessionBusyError": 3,
    "SessionClosedError": 70,
    "SessionError": 3,
    "TargetAccessError": 3,
    "UndoError": 5,
    "VerificationError": 1,
    "WriteNotAppliedError": 3,
    "WrongThreadError": 70,
}
CLASSES = [
    name
    for name in errors.__all__
    if isinstance(getattr(errors, name), type) and issubclass(getattr(errors, name), Exception)
]


@pytest.mark.parametrize("name", CLASSES)
def test_every_class(name: str) -> None:
    kind = getattr(errors, name)
    assert exit_code_of(kind("as it is")) == CODES[name]
    if not issubclass(kind, errors.DebugEngineError):
        return
    # A partial write that stays in the target decides the code, except in comparisons.
    compared = name in ("ExpectationError", "VerificationError")
    for written in (1, None):
        assert exit_code_of(kind("x", written=written)) == (1 if compared else 5)


def test_no_class_is_forgotten() -> None:
    assert sorted(CLASSES) == sorted(CODES)


@pytest.mark.parametrize(("kind", "code"), [("patch", 2), ("build", 1), ("access", 3)])
def test_patches_that_do_not_fit(kind: str, code: int) -> None:
    assert exit_code_of(errors.PatchError("x", kind=kind)) == code


def test_what_ends_a_command_otherwise() -> None:
    assert exit_code_of(MemoryError()) == ExitCode.BAD_USAGE
    assert exit_code_of(TimeoutError()) == ExitCode.NO_ACCESS
    assert exit_code_of(KeyboardInterrupt()) == ExitCode.INTERRUPTED
    assert exit_code_of(RecursionError()) == ExitCode.INTERNAL
