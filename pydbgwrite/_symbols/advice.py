"""What an error says about a name that the target does not have: similar ones, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._symbols.addresses import (
    MOST_READINGS,
    Address,
    Place,
    hint_of_number,
    places,
    shown,
    split_offset,
)
from pydbgwrite._symbols.model import KnownModule, Symbols
from pydbgwrite._symbols.patterns import literal
from pydbgwrite._symbols.signatures import last_part, without_signature

if TYPE_CHECKING:
    from pydbgwrite._target import Target

__all__ = ["Advice", "near"]

#: The most names compared with a wrong one: difflib is slow, a browser has a million symbols.
_MOST_COMPARED: Final = 20_000
#: The most wrong names that get suggestions: a whole table can be wrong.
_MOST_HINTS: Final = 20
#: The longest name of a module that is looked for in a wrong text.
_LONGEST_SHOWN: Final = 256
_MOST_SIGNS: Final = 64
_LONGEST_COMPARED: Final = 200
_MOST_LIKELY: Final = 100
_MOST_SHOWN: Final = 3
_LEAST_ALIKE: Final = 0.7
#: So many words of a demangled name are looked for, to find similar names.
_MOST_WORDS: Final = 3
_MOST_DEMANGLED: Final = 2_000
#: What only a demangled name has.
_DEMANGLED: Final = re.compile(r"::|[(<~ ]|operator\W")


class Advice:
    """Makes the messages for one resolver."""

    def __init__(self, session: Target, backend: Symbols, modules: list[KnownModule]) -> None:
        self._session = session
        self._backend = backend
        self._modules = modules
        self._hints = 0

    def no_module(self, names: list[str], text: str) -> str:
        """Return the message for a module that is not there."""
        if not self._modules:
            return self._nothing(text, "a module")
        hint = f"{IN_FORCE.get().function('session.modules')} lists what it has"
        if self._may_compare() and (alike := self._modules_like(names)):
            hint = _did_you_mean([module.name for module in alike])
        return f"the target has no module {_or(names)}; {hint}"

    def no_symbol(self, module: KnownModule, readings: list[Place]) -> str:
        """Return the message for a symbol that a module does not have."""
        names = list(dict.fromkeys(p.symbol for p in readings if p.symbol is not None))
        message = f"{module.name} ({module.path}) has no symbol {shown(names[-1])}"
        fault = self._backend.fault(module)
        if fault is not None:
            return (
                f"{module.name} exports no symbol {shown(names[-1])}, and its other symbols are "
                f"not known: {fault}"
            )
        if not self._may_compare():
            return message
        candidates = self._names_like(module, names[-1])
        alike = self._of_last_part(module, names[-1]) or near(names, candidates)
        hint = f"; {_did_you_mean(alike)}" if alike else ""
        hint = self._behind(max(names, key=len), [module]) or hint
        if not candidates:
            hint = "; no symbols of it are known"
        if self._backend.stripped(module):
            hint = f"; it is stripped (it has no .symtab){hint}"
        return message + (self._no_library(module, names[-1]) or hint)

    def no_bare(self, address: Address) -> str:
        """Return the message for a name that is neither a module's nor a symbol's."""
        name, base = address.name, address.base
        if not self._modules:
            return self._nothing(name, "a module or a symbol")
        if any(name in (module.name, module.path) for module in self._modules):
            return f"{shown(name)} is a module: give {name}+0 or {name}!symbol"
        readings = places(name, _LONGEST_SHOWN)
        with_symbol = [each for each in readings if each.symbol is not None]
        if with_symbol:
            hint = self._with_that_module(with_symbol) if self._may_compare() else ""
            names = list(dict.fromkeys(each.module for each in with_symbol))
            return (
                f"the target has no module {_or(names)}; {hint}"
                if hint
                else (self.no_module(names, name))
            )
        what = "symbol" if address.offset is None else "module and no symbol"
        message = f"the target has no {what} {shown(base)}"
        programs = [module for module in self._modules if module.program] or self._modules[:1]
        fault = self._backend.fault(programs[0])
        if fault is not None:
            return (
                f"{message}: of {programs[0].name} only what it exports is known, and a symbol "
                f"of another module is given as module!symbol. {fault}"
            )
        if not self._may_compare():
            return message
        hint = self._behind(name, self._modules) or self._no_library(programs[0], base)
        if hint:
            return message + hint
        compared = [module.name for module in self._modules]
        alike = []
        for module in programs:
            alike += self._of_last_part(module, base)
            compared += self._names_like(module, base)
        alike = alike[:_MOST_SHOWN] or near([base], compared)
        hint = _did_you_mean(alike) if alike else "give module!symbol, module+0x1234, or a number"
        if self._backend.stripped(programs[0]):
            hint = f"{programs[0].name} is stripped (it has no .symtab); {hint}"
        return f"{message}{hint_of_number(base)}; {hint}"

    def _nothing(self, text: str, what: str) -> str:
        reason = "its modules are not known"
        if self._session.target == "simulated":
            reason = "simulated memory has none"
        return f"{shown(text)} names {what}, and {reason}; give a number"

    def _modules_like(self, names: list[str]) -> list[KnownModule]:
        """Return modules of similar names, or of that name and an extension (libc: libc.so.6)."""
        wanted = {name.lower() for name in names}
        found = [each for each in self._modules if _stem(each.name) in wanted]
        for part in ("name", "path"):
            if not found:
                by_name = {getattr(module, part): module for module in self._modules}
                found = [by_name[each] for each in near(names, list(by_name))]
        return found[:3]

    def _with_that_module(self, readings: list[Place]) -> str:
        """Return a suggestion of whole addresses: the symbol in modules of similar names."""
        found = []
        for place in readings[:MOST_READINGS]:
            assert place.symbol is not None
            for module in self._modules_like([place.module]):
                if self._backend.has(module, place.symbol):
                    offset = f"{place.offset:+#x}" if place.offset else ""
                    found.append(f"{module.name}!{place.symbol}{offset}")
        return _did_you_mean(found[:3]) if found else ""

    def _names_like(self, module: KnownModule, symbol: str) -> list[str]:
        """Return the names to compare with a symbol: demangled ones if it is."""
        words = sorted(set(re.findall(r"\w{3,}", symbol)), key=len, reverse=True)
        words = [word for word in words if len(word) <= _LONGEST_COMPARED]
        for word in words[:_MOST_WORDS] if _DEMANGLED.search(symbol) else ():
            found = list(self._backend.symbols(f"*{word}*", [module], None))
            names = [each.demangled for each in found[:_MOST_DEMANGLED]]
            if names:  # all symbols of a program can have the next word
                return _as_asked(symbol, names)
        return list(islice(self._backend.like(module, symbol), _MOST_COMPARED))

    def _of_last_part(self, module: KnownModule, symbol: str) -> list[str]:
        """Return names in other namespaces and classes that end as this one does."""
        if len(symbol) > _LONGEST_COMPARED:
            return []
        parts = {_own_part(symbol), _own_part(without_signature(symbol))} - {""}
        ending = (
            each.demangled
            for part in parts
            for end in ("", "(*", "<*")
            for each in self._backend.symbols(f"*::{literal(part)}{end}", [module], None)
            if _own_part(without_signature(each.demangled)) in parts
        )
        some = list(islice(ending, _MOST_DEMANGLED))
        found = list(dict.fromkeys(_as_asked(symbol, some)))
        if "::" in symbol:  # one of these parts is misspelt
            return near([symbol], found)
        return sorted(found, key=len)[:_MOST_SHOWN]

    def _behind(self, whole: str, modules: list[KnownModule]) -> str:
        """Return what is wrong behind a name that is known: not one number is added."""
        for sign in islice(re.finditer("[+-]", whole), _MOST_SIGNS):
            known, rest = whole[: sign.start()], whole[sign.start() :]
            if not known:
                continue
            if known in {module.name for module in modules} and len(modules) > 1:
                if split_offset(whole)[0] == known:
                    return f"; {shown(known)} is a module, and no offset from its base is negative"
                return f"; to the module {shown(known)} one number is added, not {shown(rest)}"
            if any(self._backend.has(module, known) for module in modules):
                return f"; it has {shown(known)}, to which one number is added, not {shown(rest)}"
        return ""

    def _no_library(self, module: KnownModule, symbol: str) -> str:
        """Return what to install if the name is a demangled one and nothing demangles."""
        if not _DEMANGLED.search(symbol) or self._backend.demangled(module, symbol) is not None:
            return ""
        from pydbgwrite._extra import fault_of

        fault = fault_of("multi_demangle")
        library = (
            'a library: pip install "pydbgwrite[cli]"'
            if fault is None
            else f"a library, and {fault}"
        )
        without = "give the mangled name, as nm prints it"
        return f"; demangled names need {library}. Without it, {without}"

    def _may_compare(self) -> bool:
        self._hints += 1
        return self._hints <= _MOST_HINTS


def _own_part(name: str) -> str:
    """Return the last part of a name without template arguments."""
    part = last_part(name)
    return part if part.startswith("operator") else part.partition("<")[0]


def _as_asked(symbol: str, names: list[str]) -> list[str]:
    """Return demangled names with parameters if the symbol has some, else without."""
    if "(" in symbol.replace("operator()", ""):
        return names
    return [without_signature(each) for each in names]


def near(names: list[str], known: Iterable[str]) -> list[str]:
    """Return up to three known names that are similar to one of the names."""
    import difflib
    import heapq

    lower: dict[str, str] = {}
    for each in known:
        lower.setdefault(each.lower(), each)
    found: dict[str, None] = {}
    for name in names[-3:]:
        wanted = name[:_LONGEST_COMPARED].lower()
        matcher = difflib.SequenceMatcher(None, "", wanted)

        def likeness(text: str, matcher: Any = matcher) -> float:
            matcher.set_seq1(text)
            quick: float = matcher.real_quick_ratio()
            return matcher.quick_ratio() if quick >= _LEAST_ALIKE else 0.0

        # The exact comparison takes long: only those that can be the most similar get it.
        likely = heapq.nlargest(_MOST_LIKELY, lower, key=likeness)
        for match in difflib.get_close_matches(wanted, likely, n=3, cutoff=_LEAST_ALIKE):
            found[lower[match]] = None
    return list(found)[:_MOST_SHOWN]


def _stem(name: str) -> str:
    """Return the name of a library without version and extension."""
    return re.split(r"\.so\b|\.dll$|\.exe$", name.lower())[0]


def _or(names: list[str]) -> str:
    return " or ".join(shown(name) for name in names[:3])


def _did_you_mean(names: list[str]) -> str:
    *others, last = (shown(name) for name in names)
    return f"did you mean {', '.join(others)} or {last}?" if others else f"did you mean {last}?"
