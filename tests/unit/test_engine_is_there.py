"""Where Microsoft's engine must be, no test of it is skipped."""

from __future__ import annotations

import sys

import pytest
from support import dbgeng

import pydbgwrite
import pydbgwrite._dbgeng


@pytest.mark.parametrize(
    ("variable", "reason"), [("CI", None), ("NOT_CI", "no dbgeng.dll")], ids=["CI", "elsewhere"]
)
def test_a_windows_without_it(
    variable: str, reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_is_there() -> None:
        raise pydbgwrite.EngineNotFoundError("no dbgeng.dll")

    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv(variable, "true")
    monkeypatch.setattr(dbgeng, "LANE", False)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(pydbgwrite._dbgeng, "load_engine", none_is_there)
    assert dbgeng._why_not() == reason
