"""An address with a tag in its upper bits is invalid in every write, read and query.

Some of aarch64's system calls drop the tag (Documentation/arch/arm64/tagged-address-abi.rst).
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from support.child import RW_PAGES
from support.processes import Child64

import pydbgwrite
from pydbgwrite import TargetAccessError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")


@pytest.mark.parametrize("suspend", [True, False])
@pytest.mark.parametrize("tag", [0x01, 0x5A, 0x80, 0xFF])
def test_a_tagged_address(tag: int, suspend: bool) -> None:
    with Child64() as child:
        place = child.areas["rw"]
        before = child.read(place, 64)
        tagged = place | tag << 56
        with pydbgwrite.attach(child.pid, suspend=suspend) as session:
            session.read_pointers(place, 8)  # make the page present
            writes: tuple[Callable[[], object], ...] = (
                lambda: session.write_pointers(tagged, [1, 2]),
                lambda: session.write_pointers(tagged, [1, 2], via="WriteVirtual"),
                lambda: session.write_scattered([tagged, tagged + 16], [1, 2]),
            )
            for write in writes:
                with pytest.raises(TargetAccessError) as caught:
                    write()
                assert caught.value.written == 0
            with pytest.raises(TargetAccessError):
                session.read_pointers(tagged, 2)
            with pytest.raises(pydbgwrite.DebugEngineError):
                session.query(tagged)
        assert child.read(place, 64) == before


@pytest.mark.parametrize("suspend", [True, False])
def test_free_memory_ends_where_no_program_can_have_any(suspend: bool) -> None:
    """Free memory ends beyond the stack, the last mapping; after it no write or query succeeds."""
    with Child64() as child, pydbgwrite.attach(child.pid, suspend=suspend) as session:
        end = session.query(child.areas["rw"]).base
        assert end == child.areas["rw"]
        regions = []
        while True:
            try:
                region = session.query(end)
            except pydbgwrite.DebugEngineError:
                break
            regions.append(region)
            end = region.base + region.size
        assert len(regions) > RW_PAGES
        assert regions[-1].state == "free"
        assert end in {2**bits - reserved for bits in range(36, 53) for reserved in (0, 4096)}
        with pytest.raises(TargetAccessError):
            session.write_pointers(end, [1])
