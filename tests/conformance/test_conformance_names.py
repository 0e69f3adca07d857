"""Names of addresses and lists of symbols, on every engine and target: a name leads back."""

from __future__ import annotations

import random
from array import array

import pytest
from support.cases import EngineCase
from support.chance import chance as chance

import pydbgwrite
from pydbgwrite import AddressError, Module, Session, Symbol
from pydbgwrite._symbols.resolver import Resolver

#: Addresses of each module: so few that each is named alone on Microsoft's engine, and so many that
#: all symbols of the module are.
FEW, MANY = 4, 40


def small_module(session: Session) -> tuple[Module, list[Symbol]]:
    """Return the smallest module that has some symbols, and these; one without if none has any."""
    modules = sorted(session.modules(), key=lambda module: module.size)
    for module in modules:
        if [each.path for each in modules].count(module.path) > 1:
            continue  # one that a path does not tell from others
        symbols = session.symbols(module=module.path or module.name)
        if len(symbols) >= 3:
            return module, symbols
    return modules[0], []


def places(module: Module, symbols: list[Symbol], chance: random.Random, count: int) -> list[int]:
    """Return addresses in and around symbols and the module's ends."""
    found = [module.base, module.base + module.size - 1, module.base + module.size]
    for symbol in chance.sample(symbols, min(count, len(symbols))):
        found += [symbol.address, symbol.address + chance.randrange(-2, symbol.size + 9)]
    return found + [module.base + chance.randrange(module.size) for _ in range(count)]


def test_names_lead_back(readable_case: EngineCase, chance: random.Random) -> None:
    session = readable_case.session
    if session.target == "simulated":
        assert session.names([0, 0x10000, 2**64 - 1]) == ["0x0", "0x10000", "0xffffffffffffffff"]
        assert session.symbols() == []
        return
    module, symbols = small_module(session)
    resolver = Resolver(session)
    for count in (FEW, MANY):
        asked = [*places(module, symbols, chance, count), readable_case.rw, 0, 2**64 - 1]
        names = session.names(array("Q", asked))
        wrong = [
            (hex(address), name)
            for address, name in zip(asked, names, strict=True)
            if resolver.resolve(name) != address
        ]
        assert not wrong
    # The same, however they are asked for.
    assert names == session.names(iter(asked))
    for i in (0, 3):
        assert session.name(asked[i]) == names[i]
    assert session.names([]) == []


def test_symbols_are_found_by_their_names(readable_case: EngineCase, chance: random.Random) -> None:
    session = readable_case.session
    if session.target == "simulated":
        return
    module, symbols = small_module(session)
    assert [each.address for each in symbols] == sorted(each.address for each in symbols)
    label = module.path or module.name
    resolver = Resolver(session)
    for symbol in chance.sample(symbols, min(20, len(symbols))):
        assert module.base <= symbol.address <= module.base + module.size
        assert symbol.kind in ("function", "data", "ifunc", "untyped")
        try:
            found = resolver.resolve(f"{label}!{symbol.name}")
        except AddressError as error:  # several of that name, or an indirect function
            assert "several" in str(error) or "symbols" in str(error) or symbol.kind == "ifunc"
            continue
        assert found == symbol.address
        if symbol.name.isalnum():
            assert symbol in session.symbols(symbol.name[:-1] + "?", module=label)
            assert symbol in session.symbols(f"*{symbol.name[1:]}", module=label, kind=symbol.kind)
    assert session.symbols("no such symbol", module=label) == []


def test_what_is_no_address(readable_case: EngineCase) -> None:
    session = readable_case.session
    with pytest.raises(OverflowError):
        session.name(2**64)
    with pytest.raises(OverflowError):
        session.names([0, -1])
    with pytest.raises(TypeError):
        session.names(["kernel32!CreateFileW"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="kind must be"):
        session.symbols(kind="variable")
    with pytest.raises(AddressError):
        session.symbols(module="no-such-module")


def test_a_session_that_is_closed() -> None:
    closed = pydbgwrite.simulate([(0, 64)])
    closed.close()
    for call in (lambda: closed.name(0), lambda: closed.names([0]), closed.symbols):
        with pytest.raises(pydbgwrite.SessionClosedError):
            call()
