"""Where the uses of a library's variable lead: the dynamic linker has written it into memory.

Another file may define a variable of the same name and come first: the program (copy relocations),
a preloaded library, an earlier one, the first of a STB_GNU_UNIQUE symbol. -Bsymbolic, protected
symbols and RTLD_DEEPBIND make exceptions, and the scopes that decide are not public. The result is:
each use of a name that may be bound elsewhere has a relocation (gABI, "Relocation"), and the place
of that holds the address by now.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.addresses import split_version
from pydbgwrite._symbols.elf_dynamic import AddressReader, Relocations, is_symbolic
from pydbgwrite.errors import AddressError

if TYPE_CHECKING:
    from pydbgwrite._symbols.elf_tables import Definition, Exported, SymbolTable
    from pydbgwrite._symbols.linux_maps import Image

__all__ = ["Bindings"]

_MOST_BYTES: Final = 1 << 26  # of relocations, in all modules
_MOST_READS: Final = 1 << 14  # of words, for one variable


class Bindings:
    """The variables of a process's modules.

    tables_of returns the tables of a module's dynamic section, reader_of a reader that takes the
    file's addresses.
    """

    def __init__(
        self,
        images: Iterable[Image],
        tables_of: Callable[[Image], SymbolTable],
        reader_of: Callable[[Image], AddressReader],
    ) -> None:
        self._images = [image for image in images if image.headers is not None]
        self._program = next((image for image in self._images if image.program), None)
        self._tables_of = tables_of
        self._reader_of = reader_of
        self._relocations: dict[int, Relocations] = {}
        self._left = _MOST_BYTES
        self._reads = 0

    def live(self, image: Image, definition: Definition, symbol: str) -> int:
        """The address at which a module's variable is used.

        Raises AddressError if no code is seen to use its own one and uses lead elsewhere.
        """
        own = (definition.value + image.bias) % 2**64
        if not definition.replaceable or image.headers is None or image.program:
            return own
        self._reads = _MOST_READS
        names = [
            each
            for each in self._tables_of(image).exported_at(definition.value)
            if each.definition.replaceable
        ]
        # A variable may have several names: the one that is asked for counts first.
        asked = split_version(symbol)[0].encode(errors="surrogateescape")
        for some in ([each for each in names if each.name == asked], names):
            used = self._used(image, [each.number for each in some], names, own)
            if used:
                return own if own in used else self._one_of(image, symbol, own, used)
        if image.namespace is None or self._is_symbolic(image):
            return own
        return self._used_by_others(image, names, symbol, own)

    def _used_by_others(self, image: Image, names: list[Exported], symbol: str, own: int) -> int:
        """Return the same if the module's own code does not use the variable by its name."""
        program = self._program
        for each in names:
            if program is None or program.namespace != image.namespace:
                break
            taken = self._tables_of(program).exported(each.name, each.definition.version)
            if taken is not None:
                value = taken.definition.value
                place = (value + program.bias) % 2**64
                copied = any(
                    at == value for at, _ in self._relocations_of(program).of(taken.number)
                )
                return self._one_of(image, symbol, own, {place} if copied else {place, own})
        used: set[int] = set()
        for other in self._images:
            if other.namespace == image.namespace and other is not image:
                tables = self._tables_of(other)
                wanted = [
                    number
                    for each in names
                    for number in tables.undefined(each.name, each.definition.version)
                ]
                used |= self._used(other, wanted, names, own)
        return own if own in used or not used else self._one_of(image, symbol, own, {*used, own})

    def _one_of(self, image: Image, symbol: str, own: int, used: set[int]) -> int:
        if len(used) == 1:
            return next(iter(used))
        places = ", ".join(self._told(each) for each in sorted(used - {own}))
        raise AddressError(
            f"{image.name}!{symbol} is at 0x{own:x}, which no other code is seen to use: uses of "
            f"that name lead to {places}. Name the one you mean in that form, or give "
            f"{image.name}+0x{own - image.base:x}"
        )

    def _told(self, address: int) -> str:
        for image in self._images:
            if image.base <= address < image.base + image.size:
                return f"0x{address:x} ({image.name}+0x{address - image.base:x})"
        return f"0x{address:x}"

    def _used(self, image: Image, numbers: list[int], names: list[Exported], own: int) -> set[int]:
        """What these symbols of a module were bound to, if it is a variable of one of the names."""
        bound = set(self._bound(image, numbers))
        return {each for each in bound if each == own or self._has_name(each, names)}

    def _bound(self, image: Image, numbers: list[int]) -> Iterator[int]:
        if not numbers:
            return
        assert image.headers is not None
        form = image.headers.order + ("Q" if image.headers.bits == 64 else "I")
        read = self._reader_of(image)
        for number in numbers:
            for place, addend in self._relocations_of(image).of(number):
                self._reads -= 1
                if self._reads < 0:
                    return
                try:
                    (word,) = struct.unpack(form, read(place, struct.calcsize(form)))
                except not_from_handler(ValueError, struct.error):
                    continue
                yield (word - addend) % 2**image.headers.bits

    def _has_name(self, address: int, names: list[Exported]) -> bool:
        """Return whether any module has a variable of one of the names."""
        for image in self._images:
            if image.base <= address < image.base + image.size:
                there = self._tables_of(image).exported_at((address - image.bias) % 2**64)
                if not {each.name for each in there}.isdisjoint(each.name for each in names):
                    return True
        return False

    def _relocations_of(self, image: Image) -> Relocations:
        found = self._relocations.get(image.base)
        if found is None:
            assert image.headers is not None
            try:
                read = self._reader_of(image)
                found = Relocations.read(image.headers, read, image.bias, self._left)
            except not_from_handler(ValueError, struct.error):
                found = Relocations(image.headers, [])
            self._left -= found.size
            self._relocations[image.base] = found
        return found

    def _is_symbolic(self, image: Image) -> bool:
        """Return whether a library always uses its own variables (ld -Bsymbolic)."""
        assert image.headers is not None
        try:
            return is_symbolic(image.headers, self._reader_of(image))
        except not_from_handler(ValueError, struct.error):
            return False
