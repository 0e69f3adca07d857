"""What find and retarget share: pointers and places as text, and what is said of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.addresses import is_number, shown
from pydbgwrite._symbols.resolver import Resolver
from pydbgwrite.cli.output import printable
from pydbgwrite.errors import AddressError

if TYPE_CHECKING:
    from pydbgwrite import Found, Module, Session

__all__ = [
    "bits_of",
    "found_fields",
    "has_failed_reads",
    "mask_option",
    "places_of",
    "pointers_of",
    "show_counts",
    "within_option",
]

#: Of the regions that could not be searched.
_MOST_SKIPPED: Final = 100
#: Protections of regions that are skipped only if a read fails.
_READABLE: Final = ("r", "rw", "rx", "rwx")

within_option = click.option(
    "--within",
    multiple=True,
    metavar="PLACE",
    help="Look only here: a module, '<heap>', '<stack>', or FIRST..END. Repeat it for several.",
)

mask_option = click.option(
    "--mask", metavar="BITS", help="Compare only these bits: 0x00ffffffffffffff leaves out a tag."
)


def bits_of(mask: str | None) -> int | None:
    """Return the number that --mask gives; None if it is not given."""
    if mask is None:
        return None
    try:
        return int(mask, 0)
    except not_from_handler(ValueError):
        raise click.UsageError(
            f"--mask takes a number such as 0xffff, got {shown(mask)}."
        ) from None


def places_of(session: Session, within: tuple[str, ...]) -> list[range | str] | None:
    """Return what --within means; None if it is not given."""
    if not within:
        return None
    spans = (range_of(session, each) for each in within)
    return [each if span is None else span for each, span in zip(within, spans, strict=True)]


def pointers_of(session: Session, what: str) -> int | range | Module:
    """Return what the text means: a module and a region are all that is in them."""
    found = range_of(session, what)
    if found is not None:
        return found
    if what in ("<heap>", "<stack>"):
        parts = [each for each in session.regions() if each.name == what]
        if not parts:
            raise AddressError(f"the target has no region {what!r}")
        return range(parts[0].base, parts[-1].base + parts[-1].size)
    if not is_number(what):
        base = _base_of_module(session, what)
        for module in session.modules():
            if module.base == base:
                return module
    return session.resolve(what)


def _base_of_module(session: Session, name: str) -> int | None:
    try:
        return Resolver(session).module(name).base
    except not_from_handler(AddressError):
        return None  # it is an address, or resolve() says why it is none


def range_of(session: Session, text: str) -> range | None:
    """Return the range of a text such as "0x1000..0x2000"; None if it has another form."""
    first, dots, end = text.partition("..")
    if not dots or "/" in text:
        return None
    if not (first and end):
        raise click.UsageError(f"A range is FIRST..END, with both of them, got {text!r}.")
    return range(session.resolve(first), session.resolve(end))


def show_counts(found: Found) -> None:
    """Print how many pointers are in each module, and in each kind of memory."""
    for counts, other in ((found.by_module(), "no module"), (found.by_kind(), "")):
        if counts:
            line = ", ".join(f"{name or other} {count:,}" for name, count in counts.items())
            click.echo(printable(line))


def has_failed_reads(found: Found) -> bool:
    """Return whether a read failed. Pages that nobody may read are no news."""
    return any(each.protection in _READABLE for each in found.skipped)


def found_fields(found: Found) -> dict[str, Any]:
    """Return the fields of a search for --json."""
    return {
        "searched": found.searched,
        "modules": _counts(found.by_module()),
        "kinds": _counts(found.by_kind()),
        "skipped_total": len(found.skipped),
        "skipped": [
            {
                "base": f"0x{each.base:x}",
                "size": each.size,
                "protection": each.protection,
                "state": each.state,
                "name": each.name or None,
            }
            for each in found.skipped[:_MOST_SKIPPED]
        ],
    }


def _counts(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"name": name or None, "count": count} for name, count in counts.items()]
