"""A kernel to debug: a stub that answers a kernel debugger (KD) over TCP, with its own memory.

It is no operating system. It implements the part of the protocol that the engine needs to find a
stopped 64-bit target: packets and their acknowledgement, the reset, one state change, the version,
contexts, and memory. Formats and numbers are those of public headers (windbgkd.h of ReactOS,
wdbgexts.h of the Windows SDK, and the notes in kdd.h of Xen).
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

DATA, CONTROL = 0x30303030, 0x69696969  # "0000" and "iiii"
TRAILER = b"\xaa"
MANIPULATE, DEBUG_IO, ACKNOWLEDGE, RESEND, RESET, STATE_CHANGE = 2, 3, 4, 5, 6, 7
FIRST_ID, SYNC_ID = 0x80800000, 0x800
EXCEPTION = 0x3030
BREAKPOINT = 0x80000003
READ, WRITE, GET_CONTEXT, SET_CONTEXT = 0x3130, 0x3131, 0x3132, 0x3133
CONTINUE, CONTINUE_2 = 0x3136, 0x313C
RESTORE_BREAKPOINT, READ_CONTROL, WRITE_CONTROL = 0x3135, 0x3137, 0x3138
READ_PHYSICAL, WRITE_PHYSICAL, GET_VERSION, CLEAR_BREAKPOINTS = 0x313D, 0x313E, 0x3146, 0x315A
AMD64 = 0x8664
SUCCESS, UNSUCCESSFUL = 0, 0xC0000001
CONTEXT_SIZE = 0x4D0
CONTEXT_ALL = 0x10001F
PAGE = 4096

KERNEL = 0xFFFFF80000400000
STACK = 0xFFFFF80000800000
CODE = KERNEL + 0x1000
PHYSICAL = 0x5000


class KernelStub:
    """Memory by address, virtual or physical, and the thread that answers for it."""

    def __init__(self) -> None:
        self.memory: dict[int, bytearray] = {}
        self.writes: list[tuple[int, int]] = []  # address and size of each write request
        self.log: list[str] = []
        self.continued = threading.Event()
        self._id = FIRST_ID
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._peer: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def options(self) -> str:
        """The connection string by which the engine connects to this stub."""
        return f"com:ipport={self.port},port=127.0.0.1"

    def map(self, address: int, data: bytes) -> None:
        """Map whole pages at the address."""
        assert address % PAGE == 0
        for at in range(0, len(data), PAGE):
            self.memory[address + at] = bytearray(data[at : at + PAGE].ljust(PAGE, b"\0"))

    def held(self, address: int, size: int) -> bytes:
        """Return the bytes at the address, up to the first byte that is not mapped."""
        found = bytearray()
        while len(found) < size:
            at = address + len(found)
            page = self.memory.get(at & ~(PAGE - 1))
            if page is None:
                break
            begin = at % PAGE
            found += page[begin : begin + size - len(found)]
        return bytes(found)

    def _store(self, address: int, data: bytes) -> int:
        done = 0
        while done < len(data):
            page = self.memory.get((address + done) & ~(PAGE - 1))
            if page is None:
                break
            begin = (address + done) % PAGE
            run = min(PAGE - begin, len(data) - done)
            page[begin : begin + run] = data[done : done + run]
            done += run
        return done

    def start(self) -> None:
        """Begin to answer requests."""
        self._thread.start()

    def stop(self) -> None:
        """End the connection and the thread."""
        for each in (self._peer, self._listener):
            if each is not None:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
        self._thread.join(30)

    # -- Packets --------------------------------------------------------------------------------

    def _serve(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            self._peer, _ = self._listener.accept()
            while True:
                self._one()

    def _take(self, size: int) -> bytes:
        assert self._peer is not None
        data = b""
        while len(data) < size:
            more = self._peer.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def _one(self) -> None:
        """Receive one packet and answer it."""
        first = self._take(1)
        if first not in (b"0", b"i"):
            self.log.append(f"byte {first.hex()}")  # 0x62: asks for a break; it is stopped already
            return
        lead = first + self._take(3)
        kind, size, number, _checksum = struct.unpack("<HHII", self._take(12))
        if lead == struct.pack("<I", CONTROL):
            self.log.append(f"control {kind} {number:x}")
            if kind == RESET:
                self._id = FIRST_ID | SYNC_ID
                self._control(RESET, 0)
                self._stopped()
            return
        payload = self._take(size)
        self._take(1)
        self._control(ACKNOWLEDGE, number & ~SYNC_ID)
        if kind == MANIPULATE:
            self._manipulate(payload)
        else:
            self.log.append(f"packet {kind}")

    def _control(self, kind: int, number: int) -> None:
        assert self._peer is not None
        self._peer.sendall(struct.pack("<IHHII", CONTROL, kind, 0, number, 0))

    def _send(self, kind: int, payload: bytes) -> None:
        assert self._peer is not None
        head = struct.pack("<IHHII", DATA, kind, len(payload), self._id, sum(payload))
        self._id = (self._id & ~SYNC_ID) ^ 1
        self._peer.sendall(head + payload + TRAILER)

    def _stopped(self) -> None:
        """Send DBGKD_ANY_WAIT_STATE_CHANGE: one processor, at a breakpoint."""
        record = struct.pack("<IIQQII", BREAKPOINT, 0, 0, CODE, 1, 0) + bytes(15 * 8)
        report = struct.pack("<QQIHH", 0, 0, 0x202, 16, 3) + self.held(CODE, 16)
        report += struct.pack("<HHHH", 0x10, 0x2B, 0x2B, 0x53)
        self._send(
            STATE_CHANGE,
            struct.pack("<IHHIIQQ", EXCEPTION, 6, 0, 1, 0, STACK, CODE)
            + record
            + struct.pack("<II", 1, 0)
            + report,
        )

    def _manipulate(self, payload: bytes) -> None:
        """Answer DBGKD_MANIPULATE_STATE64: 16 bytes, 40 bytes of arguments, and data."""
        api, level, processor, _status = struct.unpack_from("<IHHI", payload)
        rest, data = payload[16:56], payload[56:]
        status, answer, more = SUCCESS, rest, b""
        if api in (READ, READ_PHYSICAL):
            address, count, _ = struct.unpack_from("<QII", rest)
            more = self.held(address, min(count, 3000))
            status = SUCCESS if more else UNSUCCESSFUL
            answer = struct.pack("<QII", address, count, len(more))
            self.log.append(f"read {address:x} {count} -> {len(more)}")
        elif api in (WRITE, WRITE_PHYSICAL):
            address, count, _ = struct.unpack_from("<QII", rest)
            done = self._store(address, data[:count])
            self.writes.append((address, count))
            status = SUCCESS if done == count else UNSUCCESSFUL
            answer = struct.pack("<QII", address, count, done)
            self.log.append(f"write {address:x} {count} -> {done}")
        elif api == GET_CONTEXT:
            more = self._context()
        elif api == READ_CONTROL:
            address, count, _ = struct.unpack_from("<QII", rest)
            more = bytes(count)
            answer = struct.pack("<QII", address, count, count)
            self.log.append(f"control space {address:x} {count}")
        elif api == GET_VERSION:
            answer = struct.pack(
                *("<HHBBHHBBBBHQQQ", 15, 15063, 6, 2, 2 | 8 | 1, AMD64, 12, 3, 0x32, 0, 0),
                *(KERNEL, KERNEL + 0x3000, 0),
            )
        elif api in (CONTINUE, CONTINUE_2):
            self.log.append(f"continue {api:x}")
            self.continued.set()
            return
        elif api == CLEAR_BREAKPOINTS:
            self.log.append("clear breakpoints")
            return
        elif api not in (SET_CONTEXT, WRITE_CONTROL, RESTORE_BREAKPOINT):
            self.log.append(f"api {api:x} refused")
            status = UNSUCCESSFUL
        else:
            self.log.append(f"api {api:x}")
        head = struct.pack("<IHHII", api, level, processor, status, 0)
        self._send(MANIPULATE, head + answer.ljust(40, b"\0") + more)

    def _context(self) -> bytes:
        """Return a CONTEXT of AMD64: flags, segments, stack and instruction pointer."""
        context = bytearray(CONTEXT_SIZE)
        struct.pack_into("<II", context, 0x30, CONTEXT_ALL, 0x1F80)
        struct.pack_into("<HHHHHHI", context, 0x38, 0x10, 0x2B, 0x2B, 0x53, 0x2B, 0x18, 0x202)
        struct.pack_into("<Q", context, 0x98, STACK + 0x800)
        struct.pack_into("<Q", context, 0xF8, CODE)
        return bytes(context)


@contextlib.contextmanager
def kernel() -> Iterator[KernelStub]:
    """Yield a running stub with a kernel image and a stack."""
    stub = KernelStub()
    stub.map(KERNEL, b"MZ".ljust(4 * PAGE, b"\0"))
    stub.map(CODE, b"\xcc" + b"\x90" * 64)
    stub.map(STACK, bytes(PAGE))
    stub.map(PHYSICAL, bytes(PAGE))
    stub.start()
    try:
        yield stub
    finally:
        stub.stop()
