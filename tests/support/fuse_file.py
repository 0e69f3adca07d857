"""A file system in user space (fuse(4)) with one program, which only one user may access.

Run it as a program, as root. Its arguments are the folder to mount it on, the program, and the
user's id. It prints "mounted", and serves until its input ends. The protocol is that of
include/uapi/linux/fuse.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
import threading

LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, INIT = 1, 2, 3, 14, 15, 18, 26
INTERRUPT, BATCH_FORGET = 36, 42
ROOT, FILE = 1, 2
_HEADER = struct.Struct("<2I2Q4I")  # fuse_in_header: length, opcode, unique, node, ...
_FOR_EVER = 1 << 30  # seconds


def attributes(node: int, size: int, user: int) -> bytes:
    """Return a struct fuse_attr."""
    mode, links = (0o40755, 2) if node == ROOT else (0o100755, 1)
    return struct.pack("<6Q10I", node, size, 0, *[0] * 6, mode, links, user, user, 0, 4096, 0)


def answer(opcode: int, node: int, body: bytes, program: bytes, user: int) -> bytes | int:
    """Return the answer to a request, or the errno."""
    if opcode == INIT:
        (readahead,) = struct.unpack_from("<I", body, 8)
        return struct.pack("<4I2H2I2HI7I", 7, 31, readahead, 0, 0, 0, 4096, 1, 0, 0, 0, *[0] * 7)
    if opcode == LOOKUP and node == ROOT and body == b"program\0":
        entry = struct.pack("<4Q2I", FILE, 0, _FOR_EVER, _FOR_EVER, 0, 0)
        return entry + attributes(FILE, len(program), user)
    if opcode == LOOKUP:
        return errno.ENOENT
    if opcode == GETATTR:
        return struct.pack("<Q2I", _FOR_EVER, 0, 0) + attributes(node, len(program), user)
    if opcode == OPEN:
        return bytes(16)
    if opcode == READ:
        _, offset, size = struct.unpack_from("<2QI", body)
        return program[offset : offset + size]
    if opcode == RELEASE:
        return b""
    return errno.ENOSYS


def serve(device: int, program: bytes, user: int) -> None:
    """Answer requests while the file system is mounted."""
    while True:
        request = os.read(device, 1 << 17)
        _, opcode, unique, node, *_ = _HEADER.unpack_from(request)
        if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
            continue
        reported = answer(opcode, node, request[_HEADER.size :], program, user)
        error, body = (-reported, b"") if isinstance(reported, int) else (0, reported)
        os.write(device, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


def main(folder: str, path: str, user: int) -> None:
    """Mount the file system, serve it, and unmount it."""
    with open(path, "rb") as file:
        program = file.read()
    device = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id={user},group_id={user}".encode()
    if libc.mount(b"test", folder.encode(), b"fuse", ctypes.c_ulong(0), options) != 0:
        raise OSError(ctypes.get_errno(), "mount", folder)
    threading.Thread(target=serve, args=(device, program, user), daemon=True).start()
    print("mounted", flush=True)
    sys.stdin.read()
    libc.umount2(folder.encode(), 2)  # MNT_DETACH


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
