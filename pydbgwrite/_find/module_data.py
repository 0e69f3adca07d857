"""The data of modules: what the program writes, and what the loader makes read-only once relocated.

Of an ELF file these are the writable segments, which PT_GNU_RELRO is a part of: .data, .bss, .got,
.data.rel.ro, .init_array. Of a PE file they are the writable sections, and the read-only ones that
can have pointers: vtables, import addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydbgwrite._symbols.pe_sections import sections_of_pe

if TYPE_CHECKING:
    from pydbgwrite._regions import Module, Region
    from pydbgwrite._symbols.linux_maps import Image
    from pydbgwrite._target import Target

__all__ = ["ModuleData"]


class ModuleData:
    """Finds the data of modules of a target, by its regions."""

    def __init__(self, session: Target, regions: list[Region]) -> None:
        self._session = session
        self._regions = regions
        self._images: dict[int, Image] = {}
        if session._embedded:
            from pydbgwrite._symbols.linux_images import images_of

            self._images = {image.base: image for image in images_of(session)}

    def of(self, module: Module) -> list[tuple[int, int]]:
        """Return the first address of each part, and the one behind it."""
        image = self._images.get(module.base)
        if image is not None and image.headers is not None:
            return [
                (each.address + image.bias, each.address + image.bias + each.memory_size)
                for each in image.headers.loads
                if each.is_writable
            ]
        sections = sections_of_pe(self._session, module.base)
        if sections:
            return [
                (each.start, each.end)
                for each in sections
                if each.is_data and each.end > each.start
            ]
        # Neither ELF nor PE headers are in memory: what is writable now.
        end = module.base + module.size
        return [
            (max(each.base, module.base), min(each.base + each.size, end))
            for each in self._regions
            if each.base < end and module.base < each.base + each.size and "w" in each.protection
        ]
