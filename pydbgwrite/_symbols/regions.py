"""The target's memory map as a list of regions, each with a name if one is known.

For a Linux process it is the kernel's map, read at once: a query for each mapping takes the square
of the time on kernels before 6.11. The protections are those that QueryVirtual gives there
(csrc/engines/embedded/linux/memory.c). For other targets it is a walk by QueryVirtual.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pydbgwrite._regions import Region, protection_name, state_name
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.linux_maps import lines_of_map, name_of
from pydbgwrite.errors import DebugEngineError, NoTargetError, TargetAccessError

if TYPE_CHECKING:
    from pydbgwrite._regions import Module
    from pydbgwrite._target import Target

__all__ = ["NARROW_LIMIT", "may_be_undescribed", "modules_of", "regions_of", "undescribed"]

#: The first address that no 32-bit pointer reaches.
NARROW_LIMIT: Final = 1 << 32

#: By the map's letters; as protection_of() in memory.c.
_PROTECTIONS: Final = {
    b"---": "none",
    b"r--": "r",
    b"rw-": "rw",
    b"-w-": "rw",
    b"r-x": "rx",
    b"--x": "x",
    b"rwx": "rwx",
    b"-wx": "rwx",
}
#: From there on mappings are the kernel's own (LINUX_LAST_END in maps.h): [vsyscall].
_LAST_END: Final = 1 << 56
_MEM_FREE: Final = 0x10000
_MOST_REGIONS: Final = 1 << 24  # of a walk: an engine's answers can be anything


def regions_of(
    session: Target, *, named: bool = True, modules: list[Module] | None = None
) -> list[Region]:
    """Return all regions that are not free, by address.

    named: also give the names of modules to memory without a name. Costs a look for modules, unless
    the caller has them.
    """
    found = list(_apart(_of_map(session._read_maps())) if session._embedded else ())
    if not found:
        found = list(_apart(_walk(session)))
    if not named:
        return found
    return list(_with_modules(session, found, modules_of(session) if modules is None else modules))


def may_be_undescribed(session: Target, address: int) -> bool:
    """Can there be memory at an address of which QueryVirtual knows nothing?

    A 32-bit program can have 4 GiB, of which the system may describe 2 to a 32-bit debugger
    (docs/engine.md). What a dump does not describe is not in it.
    """
    return (
        not session._embedded
        and session.target != "dump"
        and address < NARROW_LIMIT
        and session.pointer_size == 4
    )


def undescribed(session: Target, regions: list[Region]) -> list[Region]:
    """Return as a region all addresses behind others of which QueryVirtual knows nothing.

    It is committed and readable, so that a search tries to read it.
    """
    at = regions[-1].base + regions[-1].size if regions else 0
    while may_be_undescribed(session, at):
        try:
            info = session.data_spaces.query_virtual(at)
        except not_from_handler(TargetAccessError):
            return [Region(at, NARROW_LIMIT - at, "r", "committed")]
        at = max(at + 1, info.base_address + info.region_size)
    return []


def _of_map(text: bytes) -> Iterator[Region]:
    for line in lines_of_map(text):
        start, end, path = int(line[1], 16), int(line[2], 16), line[8]
        if start >= _LAST_END:
            break
        yield Region(start, end - start, _PROTECTIONS[line[3][:3]], "committed", name_of(path))


def _apart(regions: Iterator[Region]) -> Iterator[Region]:
    """Yield the regions without overlaps.

    While a running target changes its map, two regions that were given one by one can become one,
    which is then given in place of the second.
    """
    behind = 0
    for region in regions:
        end = region.base + region.size
        if region.base >= behind:
            yield region
        elif end > behind:
            yield Region(behind, end - behind, region.protection, region.state, region.name)
        behind = max(behind, end)


def _walk(session: Target) -> Iterator[Region]:
    query = session.data_spaces.query_virtual
    at, looked = 0, 0
    failure: TargetAccessError | None = None
    while at < 1 << 64 and looked < _MOST_REGIONS:
        try:
            info = query(at)
        except not_from_handler(TargetAccessError) as error:
            failure = error  # past the last region
            break
        looked += 1
        if info.state != _MEM_FREE:
            yield Region(
                info.base_address,
                info.region_size,
                protection_name(info.protect),
                state_name(info.state),
            )
        at = max(at + 1, info.base_address + info.region_size)
    if session.pid is not None and not session._embedded:
        # The engine answers for a process that has ended, too. A read looks at the process.
        try:
            session.read(0, 1)
        except NoTargetError:
            raise
        except not_from_handler(DebugEngineError):
            pass
    if failure is not None and not looked:
        raise failure  # there is no map, as of a kernel


def _with_modules(
    session: Target, regions: list[Region], modules: list[Module]
) -> Iterator[Region]:
    """Yield the regions; one without a name has that of the module that it is a part of.

    On Linux the loader maps anonymous memory (.bss) behind a module's last part of its file.
    """
    bases = [each.base for each in modules]
    behind = (0, "")  # the end of the region before, and its name
    for region in regions:
        if not region.name and bases:
            index = bisect_right(bases, region.base) - 1
            module = modules[index] if index >= 0 else None
            inside = module is not None and region.base - module.base < module.size
            if module is not None and inside:
                follows = behind == (region.base, module.path)
                if follows or not session._embedded:
                    region = Region(*region, module.path)
        behind = (region.base + region.size, region.name)
        yield region


def modules_of(session: Target) -> list[Module]:
    """Return the target's modules; none if it has no list of them."""
    try:
        return session.modules()
    except NoTargetError:
        raise
    except not_from_handler(DebugEngineError):
        return []  # not known of every target: a dump's, a kernel's
