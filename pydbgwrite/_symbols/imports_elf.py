"""The import slots of an ELF file: the relocations that name a symbol, as the loader reads them.

The tables are those of the dynamic section, in the target's memory, so neither section headers nor
.symtab are needed. Relocations without a symbol (relative and indirect ones, all of DT_RELR), those
of thread-local variables and copies (R_*_COPY) are no slots.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Final

from pydbgwrite._symbols.elf_dynamic import (
    AddressReader,
    Dynamic,
    Relocation,
    Relocations,
    binds_at_once,
)
from pydbgwrite._symbols.elf_headers import ElfHeaders
from pydbgwrite._symbols.elf_tables import SymbolTable
from pydbgwrite._symbols.model import Import

__all__ = ["elf_imports", "machine_of"]

#: By machine (e_machine) and bits: the numbers of R_*_JUMP_SLOT, R_*_GLOB_DAT, and of the symbol's
#: address alone. From the processor supplements of the ABI and <elf.h>.
_KINDS: Final[dict[tuple[int, int], dict[int, str]]] = {
    (3, 32): {7: "call", 6: "address", 1: "data"},  # EM_386: JMP_SLOT, GLOB_DAT, 32
    (62, 64): {7: "call", 6: "address", 1: "data"},  # EM_X86_64: JUMP_SLOT, GLOB_DAT, 64
    (62, 32): {7: "call", 6: "address", 10: "data"},  # x32: JUMP_SLOT, GLOB_DAT, 32
    (40, 32): {22: "call", 21: "address", 2: "data"},  # EM_ARM: JUMP_SLOT, GLOB_DAT, ABS32
    (183, 64): {1026: "call", 1025: "address", 257: "data"},  # EM_AARCH64: as ARM, ABS64
    (243, 64): {5: "call", 2: "data"},  # EM_RISCV: JUMP_SLOT, 64, which the table has, too
    (243, 32): {5: "call", 1: "data"},
}
_ANY_SIZE: Final = 1 << 64  # the segment of a table limits it, and read() does
_MOST_SLOTS: Final = 1 << 20
_MOST_OF_NAMES: Final = 1 << 26  # all together: names can share their ends
_MOST_SPAN: Final = 1 << 26  # of the slots of calls


def machine_of(start: bytes) -> int | None:
    """Return e_machine of a file that starts so; None if it is no ELF file."""
    if len(start) < 20 or start[:4] != b"\x7fELF" or start[5] not in (1, 2):
        return None
    return int.from_bytes(start[18:20], "little" if start[5] == 1 else "big")


def elf_imports(
    headers: ElfHeaders,
    machine: int,
    read: AddressReader,
    bias: int,
    own: range,
    file: Callable[[int, int], bytes | None],
) -> list[Import]:
    """Return the slots, by address. ValueError and struct.error if the tables can't be read.

    read: a reader of memory that takes the file's addresses. own: the module's addresses. file: a
    reader of the file itself, for what the slots of calls hold at first; it returns None if the
    file is not here.
    """
    kinds = _KINDS.get((machine, headers.bits))
    if kinds is None:
        raise ValueError(f"the relocations of machine {machine} are not known")
    found: dict[int, Relocation] = {}
    for make in (Relocations.read, Relocations.of_calls):
        for each in make(headers, read, bias, _ANY_SIZE).by_symbol():
            if each.kind in kinds:
                found[each.place] = each
                if len(found) > _MOST_SLOTS:
                    raise ValueError(f"it has more than {_MOST_SLOTS:,} import slots")
    if not found:
        return []
    least = 1 + max(each.symbol for each in found.values())
    table = SymbolTable.of_dynamic(headers, read, Dynamic.read(headers, read, bias, least))
    names = _names(table, {each.symbol for each in found.values()})
    calls = [place for place, each in found.items() if kinds[each.kind] == "call"]
    first = {} if binds_at_once(headers, read) else _first_values(headers, calls, file)

    def unbound(place: int, defined: bool) -> range | None:
        if first is None:  # then code of its own for what another module has
            return None if defined else own
        if place not in first:
            return None
        value = (first[place] + bias) % 2**headers.bits
        return range(value, value + 1)

    result = []
    for place, each in sorted(found.items()):
        name, defined = names[each.symbol]
        kind = kinds[each.kind]
        result.append(
            Import(
                (place + bias) % 2**headers.bits,
                headers.bits,
                name,
                "",
                kind,
                unbound(place, defined) if kind == "call" else None,
            )
        )
    return result


def _names(table: SymbolTable, symbols: Iterable[int]) -> dict[int, tuple[str, bool]]:
    """Return the name of each symbol, and whether the file itself defines it."""
    names: dict[int, tuple[str, bool]] = {}
    left = _MOST_OF_NAMES
    for symbol in symbols:
        names[symbol] = table.numbered(symbol)
        left -= len(names[symbol][0])
        if left < 0:
            raise ValueError(f"the names of its imports are longer than {_MOST_OF_NAMES:,} in all")
    return names


def _first_values(
    headers: ElfHeaders, places: Iterable[int], file: Callable[[int, int], bytes | None]
) -> dict[int, int] | None:
    """Return what the file has for these slots; None if it can't be read.

    Until the first call through it, a slot in memory holds that plus the load bias.
    """
    places = sorted(places)
    if not places:
        return {}
    form = headers.order + ("Q" if headers.bits == 64 else "I")
    start, end = places[0], places[-1] + struct.calcsize(form)
    raw = file(start, end - start) if end - start <= _MOST_SPAN else None
    if raw is None:
        return None
    return {place: struct.unpack_from(form, raw, place - start)[0] for place in places}
