"""check_imports.py finds circles of imports, and accepts other imports."""

from __future__ import annotations

from pathlib import Path

import check_imports
import pytest

#: A package whose parts import each other one way; `compiled` is an extension, known by its stub.
GOOD = {
    "__init__.py": "from package.top import use\n",
    "compiled.pyi": "def call() -> None: ...\n",
    "low/__init__.py": "",
    "low/one.py": "import sys\nfrom package import compiled\n",
    "low/two.py": "import package.low.one\n",
    "high/__init__.py": "",
    "high/three.py": "from package.low import one\nfrom package.low.two import call\n",
    "top.py": "def use():\n    from package.high.three import call\n",
}


def checked(folder: Path, changed: dict[str, str]) -> int:
    for name, text in {**GOOD, **changed}.items():
        path = folder / "package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return check_imports.main([str(folder / "package")])


def test_what_imports_one_way_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(tmp_path, {}) == 0
    assert capsys.readouterr().out == "8 modules, 0 circles\n"


@pytest.mark.parametrize(
    "text",
    [
        "from package.low.two import call\n",
        "def late():\n    import package.low.two\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from package.low import two\n",
    ],
)
def test_a_circle_is_printed(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(tmp_path, {"low/one.py": text}) == 1
    assert capsys.readouterr().out.splitlines() == [
        "2 modules import each other in a circle:",
        f"    package/low/one.py:{text.count(chr(10))} imports package.low.two",
        "    package/low/two.py:1 imports package.low.one",
        "8 modules, 1 circles",
    ]


def test_a_circle_through_the_package_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checked(tmp_path, {"low/one.py": "def late():\n    from package import use\n"}) == 1
    assert "    package/low/one.py:2 imports package" in capsys.readouterr().out.splitlines()


def test_a_circle_of_subpackages_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No two modules need each other here, but each subpackage imports from the other."""
    changed = {"high/four.py": "", "low/one.py": "from package.high import four\n"}
    assert checked(tmp_path, changed) == 1
    assert capsys.readouterr().out.splitlines() == [
        "2 subpackages import each other in a circle:",
        "    package/high/three.py:1 imports package.low.one",
        "    package/high/three.py:2 imports package.low.two",
        "    package/low/one.py:1 imports package.high.four",
        "9 modules, 1 circles",
    ]


def test_a_relative_import_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"two\.py:1: imports are absolute"):
        checked(tmp_path, {"low/two.py": "from . import one\n"})
