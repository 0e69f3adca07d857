"""Public methods of Session and DataSpaces, each with a call that works on the `session` fixture.

tests/conformance/test_session.py holds the few that are not here, and that no other is missing.
"""

from __future__ import annotations

from collections.abc import Callable

from pydbgwrite import Session

Call = Callable[[Session], object]

#: Session methods that enter the engine, with good arguments.
SESSION_CALLS: dict[str, Call] = {
    "write_pointers": lambda s: s.write_pointers(0x10000, [1, 2, 3]),
    "read_pointers": lambda s: s.read_pointers(0x10000, 3),
    "write_scattered": lambda s: s.write_scattered([0x10000, 0x10040], [1, 2]),
    "read_scattered": lambda s: s.read_scattered([0x10000, 0x10040]),
    "find_pointers": lambda s: s.find_pointers(1, within=range(0x10000, 0x10100)),
    "retarget": lambda s: s.retarget(1, 2, within=range(0x10000, 0x10100)),
    "write": lambda s: s.write(0x10000, b"12345678"),
    "read": lambda s: s.read(0x10000, 8),
    "query": lambda s: s.query(0x10000),
    "modules": lambda s: s.modules(),
    "pointer_size": lambda s: s.pointer_size,
}

#: Session methods that ask what is mapped, and for names.
NAMING_CALLS: dict[str, Call] = {
    "resolve": lambda s: s.resolve("[0x10000]"),
    "name": lambda s: s.name(0x10000),
    "names": lambda s: s.names([0x10000]),
    "symbols": lambda s: s.symbols(),
    "regions": lambda s: s.regions(),
    "import_slots": lambda s: s.import_slots(),
}

#: DataSpaces methods, with good arguments.
RAW_CALLS: dict[str, Call] = {
    "read_virtual": lambda s: s.data_spaces.read_virtual(0x10000, 8),
    "write_virtual": lambda s: s.data_spaces.write_virtual(0x10000, b"12345678"),
    "read_virtual_uncached": lambda s: s.data_spaces.read_virtual_uncached(0x10000, 8),
    "write_virtual_uncached": lambda s: s.data_spaces.write_virtual_uncached(0x10000, b"1234"),
    "read_pointers_virtual": lambda s: s.data_spaces.read_pointers_virtual(0x10000, 3),
    "write_pointers_virtual": lambda s: s.data_spaces.write_pointers_virtual(0x10000, [1, 2]),
    "read_physical": lambda s: s.data_spaces.read_physical(0, 8),
    "write_physical": lambda s: s.data_spaces.write_physical(0, b"12345678"),
    "fill_virtual": lambda s: s.data_spaces.fill_virtual(0x10000, 16, b"ab"),
    "search_virtual": lambda s: s.data_spaces.search_virtual(0x10000, 64, b"ab"),
    "query_virtual": lambda s: s.data_spaces.query_virtual(0x10000),
    "get_valid_region_virtual": lambda s: s.data_spaces.get_valid_region_virtual(0x10000, 16),
    "get_next_differently_valid_offset_virtual": lambda s: (
        s.data_spaces.get_next_differently_valid_offset_virtual(0x10000)
    ),
    "is_pointer_64bit": lambda s: s.data_spaces.is_pointer_64bit(),
}

#: The calls that enter the engine whatever the target is.
ENGINE_CALLS: dict[str, Call] = {**SESSION_CALLS, **RAW_CALLS}

#: All of these.
EVERY_CALL: dict[str, Call] = {**ENGINE_CALLS, **NAMING_CALLS}

#: The calls among them that write.
WRITING_CALLS = [name for name in ENGINE_CALLS if name.startswith(("write", "fill"))]


def public_names(kind: type) -> set[str]:
    """Return the public methods and properties of a class and of its bases."""
    return {name for name in dir(kind) if not name.startswith("_")}
