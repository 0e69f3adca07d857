"""Turn a failure that the C code reports into an exception with a helpful message.

The C code calls these functions and raises what they return; they raise nothing themselves.
"""

from __future__ import annotations

from typing import TypedDict

from pydbgwrite import errors, hresults
from pydbgwrite._messages.linux import force_override
from pydbgwrite._messages.spelling import IN_FORCE, any_of
from pydbgwrite._processes import with_program
from pydbgwrite._regions import protection_name, state_name

__all__ = ["EngineFailure", "call_failed", "engine_failed"]

S_OK = 0
E_UNEXPECTED = 0x8000FFFF
_E_INVALIDARG = 0x80070057
_WRITE_FAULT = 0x8007001D
CALL_REFUSED = 0x80070078

# Writes of pointers begin with IsPointer64Bit too, and then have an address.
_WITHOUT_ADDRESS = ("IsPointer64Bit", "DetachProcesses", "TerminateProcesses")
_GONE = {
    "target": "The target has ended.",
    "server": "The server no longer answers: it has ended, or the connection is lost.",
}
#: Of live Linux processes; memory.c says which answers of the kernel mean it.
_CALL_REFUSED = (
    "process_vm_readv or process_vm_writev is refused to this script by a seccomp filter, and "
    "/proc/PID/mem can't be used, either: allow both calls there."
)
_PHYSICAL = ("ReadPhysical", "WritePhysical")


class EngineFailure(TypedDict):
    """The fields of a failure from csrc/python/failures.c; csrc/core/error.h describes them."""

    status: str
    hresult: int
    method: str | None
    address: int
    count: int
    width: int
    landed: int | None
    done: int
    index: int
    value: int
    page: tuple[int, int, int] | None
    kind: str
    process_id: int
    writes: bool
    force_refused: str  # "", or who was refused a forced write: "untraced", "tracer"
    gone: str  # "" (nothing that is known of), "target" or "server"
    embedded: bool
    scattered: bool
    at: int  # the address of the first element that is not in place, or can't be read
    purpose: str | None
    mismatches: list[tuple[int, int, int]]
    total: int
    write_only: bool  # the map of a Linux process shows that this may be written alone
    unread: bool  # counting what landed ended at memory that can't be read
    refused: tuple[int, tuple[int, int, int] | None] | None  # then: the first address behind it
    # that can't be written, and its page


def engine_failed(failure: EngineFailure) -> BaseException:
    """Return the exception for a request that did not end with S_OK."""
    if failure["status"] == "wraps":
        return _wraps(failure)
    if failure["status"] == "pointer_range":
        return _pointer_range(failure)
    if failure["status"] == "unreadable":
        return _unreadable(failure)
    if failure["status"] == "different":
        return _different(failure)
    if failure["status"] == "buffer_gone":
        return _buffer_gone(failure)
    return _engine(failure)


def _buffer_gone(failure: EngineFailure) -> BaseException:
    done = "written" if failure["writes"] else "read"
    return ValueError(
        f"{failure['purpose']}: element {failure['index']:,} lies in memory that can't be read: of "
        f"a mapped file that was truncated, or not mapped any more; nothing was {done}"
    )


def _noun(failure: EngineFailure) -> str:
    return "byte" if failure["width"] == 1 else "pointer"


def _elements(failure: EngineFailure) -> str:
    return f"{failure['count']:,} {_noun(failure)}{'' if failure['count'] == 1 else 's'}"


def _wraps(failure: EngineFailure) -> BaseException:
    """Return the exception for a range past 2**64, or one that the engine would fold."""
    scattered = failure["scattered"]
    start = failure["at"] if scattered else failure["address"]
    size = failure["width"] * (1 if scattered else failure["count"])
    if scattered:
        which = IN_FORCE.get().element("addresses", failure["index"]) or "an address"
        what = f"{which} is 0x{start:x}, and a pointer of {failure['width']} bytes there"
    else:
        what = f"{_elements(failure)} at 0x{start:x} take {size:,} bytes and"
    nothing = f"nothing was {'written' if failure['writes'] else 'read'}"
    if start + size > 2**64:
        return ValueError(f"{what} would go past 2**64; {nothing}")
    return errors.TargetAccessError(
        f"{what} would go past 2**32, and this 32-bit engine ignores the upper half of an address; "
        f"{nothing}",
        address=start,
        count=failure["count"],
        index=failure["index"],
    )


def _pointer_range(failure: EngineFailure) -> BaseException:
    landed = failure["landed"]
    words = IN_FORCE.get()
    if failure["purpose"] in ("wanted", "one wanted"):
        several = failure["purpose"] == "wanted"
        what = words.element("wanted", failure["index"]) if several else words.name("wanted")
        return errors.PointerRangeError(
            f"{what} is 0x{failure['value']:x}, and the target has 32-bit pointers: it is "
            "neither zero- nor sign-extended from 32 bits; nothing was searched",
            count=failure["count"],
            index=failure["index"],
        )
    one = failure["purpose"] == "one expected"
    argument = "expect" if failure["purpose"] else "pointers"
    what = words.name(argument) if one else words.element(argument, failure["index"])
    # The pass over the input before the write finds all but what another thread changes meanwhile.
    held = _held(failure) if failure["writes"] and failure["done"] else "nothing was written"
    option = words.argument("truncate", True)
    does = "compare the low 32 bits" if failure["purpose"] else "write the low 32 bits"
    return errors.PointerRangeError(
        f"{what or 'a pointer'} is 0x{failure['value']:x}, and the target has 32-bit "
        f"pointers: it is neither zero- nor sign-extended from 32 bits; {held}"
        + (f". Pass {option} to {does}" if option else ""),
        address=_address(failure),
        count=failure["count"],
        written=landed,
        index=None if one else failure["index"],
    )


_UNREADABLE: dict[str | None, str] = {
    "record": "the old contents there can't be recorded for an undo, so the write was not made",
    "expect": "what is there can't be compared with what is expected, so nothing was written",
    "verify": "the engine said S_OK to all of the write, and yet it can't be read back there",
}


def _unreadable(failure: EngineFailure) -> BaseException:
    """Return the exception for a write that needed memory that can't be read."""
    reading: EngineFailure = {**failure, "writes": False, "method": "ReadVirtual"}
    consequences = [_UNREADABLE[failure["purpose"]]]
    if failure["purpose"] != "expect":
        consequences.append(_held(failure))
    place = f" at {_where(failure, failure['at'], failure['page'])}"
    return _kind(reading)(
        _message(reading, place, consequences),
        hresult=failure["hresult"],
        hresult_name=hresults.name_of(failure["hresult"]),
        method="ReadVirtual",
        address=_address(failure),
        count=failure["count"],
        written=failure["landed"],
        index=failure["index"],
    )


def _different(failure: EngineFailure) -> BaseException:
    """Return the exception for a target that holds other values."""
    mismatches = [errors.Mismatch(*each) for each in failure["mismatches"]]
    first, total = mismatches[0], failure["total"]
    expects = failure["purpose"] == "expect"
    done = "expected" if expects else "written"
    if failure["count"] == 1:
        text = f"the {_noun(failure)} at 0x{first.address:x} is not what was {done}: "
    else:
        verb = "is" if total == 1 else "are"
        text = (
            f"{total:,} of {_elements(failure)} {verb} not what was {done}; "
            f"the first is at 0x{first.address:x}: "
        )
    text += f"0x{first.wanted:x} was {done}, and the target holds 0x{first.found:x}; "
    kind: type[errors.ExpectationError | errors.VerificationError]
    if expects:
        kind = errors.ExpectationError
        text += (
            "nothing was written. Check the address and the build of the program; if both are "
            "right, read the current values and expect those"
        )
    else:
        kind = errors.VerificationError
        text += (
            f"{_held(failure)}. The engine said S_OK to the write, so something else has written "
            "there since (the program, if it runs, or another debugger), or addresses of this "
            "write share memory"
        )
    return kind(
        text,
        mismatches=mismatches,
        total=total,
        address=_address(failure),
        count=failure["count"],
        written=failure["landed"],
        index=failure["index"],
    )


def _held(failure: EngineFailure) -> str:
    """Describe what the target holds now."""
    landed = failure["landed"]
    if landed is None:
        return "what the target holds is unknown: it no longer answers"
    if _is_unknown(failure):
        seen = "whether it holds any of them"
        if landed:
            held = f"the target holds the first {landed:,} of {_elements(failure)}"
            seen = f"{held}; whether it holds more"
        how = "can be written, but not read" if failure["write_only"] else "can't be read"
        return f"{seen} can't be said: what is at 0x{failure['at']:x} {how}"
    if landed == 0:
        return "the target holds none of them"
    return f"the target holds the first {landed:,} of {_elements(failure)}"


def _is_unknown(failure: EngineFailure) -> bool:
    """Return whether the target may hold more than was counted, in pages that can't be read."""
    if failure["page"] is None:
        return False
    protection, state, _type = failure["page"]
    writable = state_name(state) == "committed" and protection_name(protection) in ("rw", "rwx")
    unread = failure["unread"] or (
        failure["status"] == "unreadable" and failure["purpose"] == "verify"
    )
    return unread and writable


def _address(failure: EngineFailure) -> int:
    """Return the request's address; for scattered elements that of the first not in place."""
    return failure["at"] if failure["scattered"] else failure["address"]


def _has_request(failure: EngineFailure) -> bool:
    """Return False for a request about the target as a whole, which has no address."""
    return failure["method"] not in _WITHOUT_ADDRESS or bool(failure["address"] or failure["count"])


def _place(failure: EngineFailure) -> str:
    """Describe the first failing address and its page protection, or else the request."""
    landed = failure["landed"]
    if not _has_request(failure):
        return ""
    if failure["refused"] is not None and _is_unknown(failure):
        return f" at {_where(failure, *failure['refused'])}"
    if not _names_element(failure):
        asked = f" for {_elements(failure)}" if failure["count"] else ""
        return f"{asked} at 0x{failure['address']:x}"
    at, page = failure["at"], failure["page"]
    which = ""
    if failure["scattered"] and landed is not None:
        which = IN_FORCE.get().element("addresses", landed)
    return (
        f" at {which} = {_where(failure, at, page)}"
        if which
        else f" at {_where(failure, at, page)}"
    )


def _names_element(failure: EngineFailure) -> bool:
    """Return whether the first element is known that is not in place, or can't be read."""
    landed = failure["landed"]
    unknown = landed is None or landed >= failure["count"] or _is_unknown(failure)
    return failure["status"] == "unreadable" or not (unknown or failure["method"] in _PHYSICAL)


def _where(failure: EngineFailure, at: int, page: tuple[int, int, int] | None) -> str:
    if page is None:
        # The map of a target that is gone can't be asked.
        unknown = failure["gone"] or failure["hresult"] == E_UNEXPECTED
        return f"0x{at:x}" if unknown else f"0x{at:x}, where nothing is mapped"
    protection, state, _type = page
    if state_name(state) == "free":
        # Another engine's process can be one of another machine.
        local = failure["embedded"] and failure["kind"] == "process"
        program = f" in {with_program(failure['process_id'])}" if local else ""
        return f"0x{at:x}, which is not mapped{program}"
    if state_name(state) != "committed":
        return f"0x{at:x}, which is {state_name(state)} address space"
    return f"0x{at:x}, in a page with protection '{protection_name(protection)}'"


def _advice(failure: EngineFailure) -> str:
    """Return the advice: what to do next."""
    hresult, page = failure["hresult"], failure["page"]
    if failure["refused"] is not None:
        page = failure["refused"][1]
    if failure["gone"]:
        return _GONE[failure["gone"]]
    if hresult == CALL_REFUSED and failure["embedded"]:
        return _CALL_REFUSED
    if failure["kind"] == "dump" and failure["writes"]:
        return "A dump file can't be written to; write to a live process."
    if failure["method"] in _PHYSICAL:
        return "Physical memory is for kernel targets." if hresult == E_UNEXPECTED else ""
    if hresult == E_UNEXPECTED:
        process = failure["kind"] == "process"
        if failure["embedded"]:
            return "Open it again." if process else ""
        lost = _lost(failure)
        return f"{lost[0].upper()}{lost[1:]}{'; open it again' if process else ''}."
    if hresult == 0x80004001 or page is None:
        return ""
    protection, state, kind = page
    if state_name(state) != "committed":
        regions = IN_FORCE.get().function("session.regions")
        return f"{regions} lists what is mapped." if regions else "Check the address."
    name = protection_name(protection)
    if not failure["writes"]:
        return "" if "r" in name else "Memory without read permission can't be read."
    if not failure["embedded"]:
        return _windows_page_advice(name)
    if failure["kind"] == "process" and failure["process_id"] and "w" not in name:
        return _read_only_page_advice(failure, kind, name)
    if "w" not in name:
        return "The region is not writable."
    if failure["kind"] == "process" and hresult == _WRITE_FAULT:
        return (
            "The map allows it, and the kernel still refuses it: such are pages behind the end of "
            "a mapped file, secret memory (memfd_secret), guard pages, and missing pages of "
            "userfaultfd."
        )
    return ""


def _lost(failure: EngineFailure) -> str:
    """Return possible reasons why there is no accessible target."""
    if failure["kind"] == "process":
        return "the process has ended, runs another program now, or was detached"
    return "the target is running, has ended, or was detached"


def _windows_page_advice(name: str) -> str:
    """Return advice for Microsoft's engine, which writes by WriteProcessMemory."""
    if name.endswith("+guard"):
        return "A guard page can't be written to until the program itself has touched it."
    if "w" not in name:
        return (
            "WriteProcessMemory does not write to such a page: make it writable first "
            "(VirtualProtectEx with PAGE_READWRITE), and protect it again afterwards."
        )
    return ""


def _read_only_page_advice(failure: EngineFailure, kind: int, name: str) -> str:
    if name == "none" or "r" not in name:
        return "A page without read permission is not forced; the program itself can't use it."
    if kind == 0x40000:  # MEM_MAPPED
        return (
            "The page is shared and read-only: a write to it can't be forced. Write through a "
            "writable mapping of the same file or memory."
        )
    return _force_advice(failure["force_refused"]) if failure["force_refused"] else ""


def _force_advice(refused: str) -> str:
    page = "let the program make the page writable first (mprotect)"
    if refused == "untraced" and force_override() != "never":
        suspended = IN_FORCE.get().passing("suspend", True)
        remedies = any_of(
            suspended
            and f"open it {suspended}: it is traced then, and the kernel may permit the write to "
            "its tracer (proc_mem.force_override=ptrace)",
            page,
        )
        return f"This kernel refused a forced write to a process that is not traced: {remedies}."
    return (
        "This kernel forbids forced writes to read-only pages (proc_mem.force_override on its "
        f"command line, or CONFIG_PROC_MEM_NO_FORCE); {page}."
    )


def _kind(failure: EngineFailure) -> type[errors.DebugEngineError]:
    """Return the exception class for an HRESULT."""
    hresult = failure["hresult"]
    kind: type[errors.DebugEngineError]
    if failure["gone"] or (hresult == E_UNEXPECTED and failure["method"] not in _PHYSICAL):
        kind = errors.NoTargetError
    elif hresult != S_OK and hresult < 0x80000000:
        kind = errors.WriteNotAppliedError if failure["writes"] else errors.DebugEngineError
    elif hresult == _E_INVALIDARG and _moves_something(failure):
        kind = errors.TargetAccessError
    elif hresult in (0x80004001, _E_INVALIDARG, 0x8007000E, E_UNEXPECTED):
        kind = errors.DebugEngineError
    else:
        kind = errors.TargetAccessError
    return kind


def _moves_something(failure: EngineFailure) -> bool:
    """Return whether it is a write whose only argument that can be invalid is an address.

    WriteProcessMemory says so of an address that no process has (Wine 10). FillVirtual says it of
    an empty pattern, too.
    """
    return failure["writes"] and failure["count"] > 0 and failure["method"] != "FillVirtual"


def _message(failure: EngineFailure, place: str, consequences: list[str]) -> str:
    """Return the message: what failed and where, the consequence, and what to do.

    Users of Microsoft's engine know its methods and HRESULTs, so these come first. For the embedded
    engine a description comes first, and both come last, in Python only.
    """
    method, hresult, embedded = failure["method"], failure["hresult"], failure["embedded"]
    if embedded:
        text = f"{_action(failure)} failed{place}{_cause(failure)}"
    else:
        text = f"{method} failed{place} ({hresults.describe(hresult)})"
    text = "; ".join([text, *consequences])
    advice = _advice(failure)
    if advice:
        text += f". {advice}"
    return f"{text}{_call_of(method, hresult)}" if embedded else text


def _action(failure: EngineFailure) -> str:
    method = failure["method"] or ""
    for verb in ("write", "read", "fill", "search", "query"):
        if method.startswith(verb.capitalize()):
            return f"the {verb}"
    return method


def _cause(failure: EngineFailure) -> str:
    """Return the part of the cause that the place does not mention."""
    if failure["hresult"] == E_UNEXPECTED:
        return "" if failure["method"] in _PHYSICAL else f": {_lost(failure)}"
    known = hresults.HRESULTS.get(failure["hresult"])
    page, named = failure["page"], _names_element(failure)
    if failure["refused"] is not None and _is_unknown(failure):
        page, named = failure["refused"][1], True
    says_why = page is None or state_name(page[1]) != "committed"
    if page is not None and ("w" if failure["writes"] else "r") not in protection_name(page[0]):
        says_why = True
    return "" if known is None or (says_why and named) else f": {known[1]}"


def _call_of(method: str | None, hresult: int) -> str:
    """Return the engine's call for the end of a message; "" on the command line."""
    if not IN_FORCE.get().names_calls:
        return ""
    return f" ({method}: HRESULT 0x{hresult:08X} {hresults.name_of(hresult)})"


def _engine(failure: EngineFailure) -> BaseException:
    hresult = failure["hresult"]
    written = failure["landed"] if failure["writes"] else 0
    landed = failure["landed"]
    return _kind(failure)(
        _message(failure, _place(failure), [_held(failure)] if failure["writes"] else []),
        hresult=hresult,
        hresult_name=hresults.name_of(hresult),
        method=failure["method"],
        address=_address(failure) if _has_request(failure) else None,
        count=failure["count"] if _has_request(failure) else None,
        written=written,
        index=landed if landed is not None and landed < failure["count"] else None,
    )


def call_failed(method: str | None, hresult: int, gone: str, embedded: bool) -> BaseException:
    """Return the exception for a call without an address, such as DetachProcesses."""
    lost = gone or hresult == E_UNEXPECTED or method in ("DetachProcesses", "TerminateProcesses")
    kind = errors.NoTargetError if lost else errors.DebugEngineError
    text = f"{method} failed ({hresults.describe(hresult)})"
    if embedded:
        meaning = hresults.HRESULTS.get(hresult, ("", "the call failed"))[1]
        text = f"{meaning}{_call_of(method, hresult)}"
    advice = _GONE.get(gone, "")
    if hresult == CALL_REFUSED and method == "TerminateProcesses":
        advice = (
            "SIGKILL (pidfd_send_signal, kill) is refused to this process: the process runs as "
            "another user, or a seccomp filter forbids these calls."
        )
    return kind(
        f"{text}. {advice}" if advice else text,
        hresult=hresult,
        hresult_name=hresults.name_of(hresult),
        method=method,
    )
