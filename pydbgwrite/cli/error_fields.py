"""What --json tells of an error."""

from __future__ import annotations

from typing import Final

from pydbgwrite import errors
from pydbgwrite.cli.exit_codes import CommandError
from pydbgwrite.cli.output import mismatch_fields

__all__ = ["error_fields"]

#: What an engine's error tells besides its message.
_ADDRESSES: Final = ("address", "hresult")
_OTHERS: Final = ("hresult_name", "method", "count", "written", "index")


def error_fields(failure: BaseException, message: str, code: int) -> dict[str, object]:
    """Return the fields of an error for --json."""
    fields: dict[str, object] = {
        "message": message,
        "type": type(failure).__name__,
        "exit_code": int(code),
    }
    if isinstance(failure, CommandError):
        if failure.__cause__ is not None:
            fields["type"] = type(failure.__cause__).__name__
        fields.update(failure.details)
        failure = failure.__cause__ or failure
    if isinstance(failure, errors.DebugEngineError):
        for name in _ADDRESSES:
            number = getattr(failure, name)
            fields[name] = None if number is None else f"0x{number:x}"
        fields.update((name, getattr(failure, name)) for name in _OTHERS)
    if isinstance(failure, (errors.ExpectationError, errors.VerificationError)):
        fields["mismatch_total"] = failure.total
        fields["mismatches"] = mismatch_fields(failure.mismatches)
    if isinstance(failure, errors.PatchError):
        fields["problems"] = failure.problems
    return fields
