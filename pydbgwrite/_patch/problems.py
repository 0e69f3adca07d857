"""The message of an error with many problems."""

from __future__ import annotations

from typing import Final

__all__ = ["summary"]

_MOST_SHOWN: Final = 20


def summary(what: str, problems: list[str]) -> str:
    """Return a message with the first problems."""
    shown = problems[:_MOST_SHOWN]
    if len(problems) > len(shown):
        shown.append(f"and {len(problems) - len(shown):,} more")
    count = f"{len(problems):,} problem" + ("s" if len(problems) != 1 else "")
    return f"{what}: {count}; nothing was written\n  " + "\n  ".join(shown)
