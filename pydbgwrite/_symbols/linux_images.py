"""The modules of a Linux process: from the loader's data, the rest from the memory map.

A mapping can be replaced, split, moved or repeated elsewhere. The loader's data stays true.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final

from pydbgwrite._regions import Module
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.elf_headers import ElfHeaders
from pydbgwrite._symbols.linux_loader import (
    Loaded,
    loaded_modules,
    memory_headers,
    memory_reader,
)
from pydbgwrite._symbols.linux_maps import (
    PAGE,
    VDSO,
    Image,
    Mapping,
    image_at,
    images_of_map,
    read_map,
)

if TYPE_CHECKING:
    from pydbgwrite._target import Target

__all__ = ["images_of", "modules_of"]

#: The most comparisons of mappings with segments, to distinguish copies of a file.
_MOST_COMPARED: Final = 1 << 20
_MOST_OF_MODULE: Final = 1 << 40


def modules_of(session: Target) -> list[Module]:
    """Return programs and libraries, sorted by address."""
    return [Module(*image[:4]) for image in images_of(session) if image.path != VDSO]


def images_of(session: Target) -> list[Image]:
    """Return the modules and the vdso, with the data that finding symbols needs."""
    mappings = read_map(session._read_maps())
    if not mappings:
        return []
    images = []
    parts: list[tuple[int, int]] = []
    left = _MOST_COMPARED
    for loaded in loaded_modules(session, mappings):
        image, left = _loaded_image(loaded, mappings, left)
        if image is not None:
            images.append(image)
            parts += _parts(loaded.headers, loaded.bias)
    parts.sort()
    rest = [each for each in mappings if not _overlaps(parts, each)]
    if any(each.code for each in rest):
        images += _images_of_rest(session, mappings, rest, images)
    return sorted(images, key=lambda image: image.base)


def _parts(headers: ElfHeaders, bias: int) -> list[tuple[int, int]]:
    return [
        (
            (part.address + bias) // PAGE * PAGE,
            -(-(part.address + bias + part.memory_size) // PAGE) * PAGE,
        )
        for part in headers.loads
    ]


def _overlaps(parts: list[tuple[int, int]], mapping: Mapping) -> bool:
    index = bisect_left(parts, (mapping.end,))
    return index > 0 and parts[index - 1][1] > mapping.start


def _loaded_image(loaded: Loaded, mappings: list[Mapping], left: int) -> tuple[Image | None, int]:
    """Return the image with the first mapping of its file that is still in its place.

    left: the number of comparisons allowed; the remaining number is returned.
    """
    try:
        first, end = loaded.headers.extent(PAGE)
    except not_from_handler(ValueError):
        return None, left
    base, size = first + loaded.bias, end - first
    if base < 0 or base % PAGE or size > _MOST_OF_MODULE:
        return None, left
    at = bisect_right(mappings, base, key=lambda mapping: mapping.end)
    while at < len(mappings) and mappings[at].start < base + size and left > 0:
        mapping = mappings[at]
        left -= len(loaded.headers.loads)
        if loaded.bias in loaded.headers.biases(mapping.start, mapping.offset, PAGE):
            image = image_at(base, size, mapping)
            break
        at += 1
    else:
        path = loaded.name.decode(errors="surrogateescape")
        if not path:
            return None, left
        image = Image(path.rpartition("/")[2], base, size, path, None)
    image = image._replace(
        headers=loaded.headers,
        bias=loaded.bias,
        namespace=loaded.namespace,
        program=loaded.program,
    )
    return image, left


def _images_of_rest(
    session: Target, everything: list[Mapping], rest: list[Mapping], known: list[Image]
) -> list[Image]:
    """Return images that the loader does not list: other files and copies, and the vdso."""
    headers_of = {
        (image.mapping.device, image.mapping.inode): image.headers
        for image in known
        if image.mapping is not None
    }
    files: dict[tuple[tuple[int, int], int, bytes], list[Mapping]] = {}
    for mapping in rest:
        files.setdefault((mapping.device, mapping.inode, mapping.path), []).append(mapping)
    found: list[Image] = []
    others: set[int] = set()  # the first addresses of files that are not ELF
    for (device, inode, _), mappings in files.items():
        if not any(each.code for each in mappings):
            continue
        headers = headers_of.get((device, inode)) or _headers_of_file(session, mappings)
        if headers is None or len(mappings) * len(headers.loads) > _MOST_COMPARED:
            others |= {each.start for each in mappings}
        else:
            found += _copies(mappings, headers)
    return found + [image for image in images_of_map(everything) if image.base in others]


def _headers_of_file(session: Target, mappings: list[Mapping]) -> ElfHeaders | None:
    from pydbgwrite._symbols.linux_files import file_headers

    read = memory_reader(session)
    for mapping in [each for each in mappings if each.offset == 0][:2]:
        try:
            return memory_headers(read, mapping.start)
        except not_from_handler(ValueError, struct.error):
            continue
    return file_headers(session, image_at(mappings[0].start, PAGE, mappings[0]))


def _copies(mappings: list[Mapping], headers: ElfHeaders) -> list[Image]:
    """Return a file's copies in memory: mappings with the same load bias form one copy.

    If the file has two segments, a copy needs two: a page that was mapped again is no copy.
    """
    votes: dict[int, list[Mapping]] = {}
    for mapping in mappings:
        for bias in set(headers.biases(mapping.start, mapping.offset, PAGE)):
            votes.setdefault(bias, []).append(mapping)
    try:
        first, end = headers.extent(PAGE)
    except not_from_handler(ValueError):
        return []
    least = min(2, sum(part.file_size > 0 for part in headers.loads))
    taken: set[int] = set()
    found = []
    for bias, agreeing in sorted(votes.items(), key=lambda vote: (-len(vote[1]), vote[0])):
        own = [each for each in agreeing if each.start not in taken]
        if len(own) < least or first + bias < 0 or not any(each.code for each in own):
            continue
        taken |= {each.start for each in own}
        image = image_at(first + bias, end - first, own[0])
        found.append(image._replace(headers=headers, bias=bias))
    return found
