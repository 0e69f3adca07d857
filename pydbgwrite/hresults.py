"""The HRESULTs that debugger engines answer with: names and meanings.

Names and general meanings: Microsoft's hresult-values page (MicrosoftDocs/windows-driver-docs) and
winerror.h. What they mean for a target's memory was observed on dbgeng; docs/engine.md
says where.
"""

from __future__ import annotations

from typing import Final

__all__ = ["HRESULTS", "describe", "name_of"]

#: Unsigned value -> (name, what it means for a call on a target's memory).
HRESULTS: Final[dict[int, tuple[str, str]]] = {
    0x00000000: ("S_OK", "done in full"),
    0x00000001: ("S_FALSE", "done, with a negative or partial answer"),
    0x10000000: (
        "HRESULT_FROM_NT(STATUS_SUCCESS)",
        "a success code, but nothing was written, as for a dump file",
    ),
    0x8000FFFF: (
        "E_UNEXPECTED",
        "no accessible target: it has ended, is running, or the session is over",
    ),
    0x80004001: ("E_NOTIMPL", "this engine does not implement the call"),
    0x80004002: (
        "E_NOINTERFACE",
        "nothing was found there: past the last region, or not in the dump",
    ),
    0x80004003: ("E_POINTER", "a pointer argument was NULL"),
    0x80004005: ("E_FAIL", "the engine failed without saying why"),
    0x8000000A: ("E_PENDING", "the target is not available yet"),
    0x80040205: ("DBGENG_UNEXPECTED_EXCEPTION", "an exception inside the engine"),
    0x80070005: ("ERROR_ACCESS_DENIED", "access was refused: page protection or rights"),
    0x8007000E: ("E_OUTOFMEMORY", "not enough memory"),
    0x8007001D: ("ERROR_WRITE_FAULT", "the write failed"),
    0x8007001E: ("ERROR_READ_FAULT", "the memory can't be read"),
    0x8007001F: ("ERROR_GEN_FAILURE", "the device or target failed"),
    0x80070026: ("ERROR_HANDLE_EOF", "the dump file is truncated before that"),
    0x80070057: ("E_INVALIDARG", "an argument is out of range, such as a size of 0"),
    0x80070078: ("ERROR_CALL_NOT_IMPLEMENTED", "a system call that this needs is refused"),
    0x8007012B: ("ERROR_PARTIAL_COPY", "only a part could be copied"),
    0x800701E7: ("ERROR_INVALID_ADDRESS", "nothing is mapped there"),
    0x800703E6: ("ERROR_NOACCESS", "the memory location is invalid"),
    0x8007274C: ("WSAETIMEDOUT", "the other machine did not answer in time"),
    0x8007274D: ("WSAECONNREFUSED", "nothing listens at that address and port"),
    0x80072746: ("WSAECONNRESET", "the connection was closed by the other side"),
    0x80072AF9: ("WSAHOST_NOT_FOUND", "there is no machine of that name"),
    0x80010007: ("RPC_E_SERVER_DIED", "the server has ended"),
    0x80010008: ("RPC_E_CLIENT_DIED", "the connection to the server is lost"),
    0x8001000A: ("RPC_E_CANTTRANSMIT_CALL", "the connection to the server is lost"),
    0x80010108: ("RPC_E_DISCONNECTED", "the connection to the server is lost"),
    0x800706BA: ("RPC_S_SERVER_UNAVAILABLE", "the server no longer answers"),
    0x9000001A: ("HRESULT_FROM_NT(STATUS_NO_MORE_ENTRIES)", "not found"),
    0xD000013A: ("HRESULT_FROM_NT(STATUS_CONTROL_C_EXIT)", "a user interrupt is pending"),
}

#: HRESULT_FROM_NT(x) is x | FACILITY_NT_BIT (winerror.h).
FACILITY_NT_BIT: Final = 0x10000000


def name_of(hresult: int) -> str:
    """The name of an HRESULT, given unsigned; its number in hex where it has none here."""
    known = HRESULTS.get(hresult)
    if known is not None:
        return known[0]
    if hresult & 0xFFFF0000 == 0x80070000:
        return f"HRESULT_FROM_WIN32({hresult & 0xFFFF})"
    if hresult & FACILITY_NT_BIT:
        return f"HRESULT_FROM_NT(0x{hresult & ~FACILITY_NT_BIT:08X})"
    return f"0x{hresult:08X}"


def describe(hresult: int) -> str:
    """Number, name and, where known, meaning of an HRESULT, for an error message."""
    known = HRESULTS.get(hresult)
    text = f"HRESULT 0x{hresult:08X} {name_of(hresult)}"
    return f"{text}: {known[1]}" if known is not None else text
