"""The import of the package is light and silent; its API is complete and documented."""

from __future__ import annotations

import importlib
import inspect
import modulefinder
import os
import pickle
import pkgutil
import pydoc
import re
import rlcompleter
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.places import ROOT

import pydbgwrite
from pydbgwrite import errors, hresults, testing

#: Modules that neither the package nor a simulated session may import.
HEAVY = {
    *("numpy", "ctypes", "asyncio", "subprocess", "inspect", "dataclasses", "pathlib", "argparse"),
    *("click", "rich", "json", "tempfile", "logging", "socket", "threading"),
    *("multiprocessing", "importlib.metadata", "email", "hypothesis", "pytest"),
}
#: Modules that the import alone must not import: each costs more than the package.
DEAR = {"typing", "re", "collections", "contextlib", "functools", "enum", "warnings", "array"}
if sys.version_info[:3] == (3, 13, 0):  # there it must be; see _from_c.py
    DEAR.remove("collections")
PUBLIC: list[ModuleType] = [pydbgwrite, errors, hresults, testing]


def in_fresh_python(code: str, *options: str) -> str:
    """Return the output of the code in a new interpreter."""
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"},
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip(), done.stderr
    return done.stdout


def test_an_import_is_silent_and_clean() -> None:
    code = """
import pydbgwrite, pydbgwrite.testing, pydbgwrite.errors, pydbgwrite.hresults
with pydbgwrite.simulate([(0, 64)]) as session:
    assert session.write_pointers(0, [1, 2]) == 2
    print(list(session.read_pointers(0, 2)))
"""
    assert in_fresh_python(code, "-W", "error", "-X", "dev") == "[1, 2]\n"


@pytest.mark.parametrize("use", ["", "; pydbgwrite.simulate([(0, 64)]).close()"])
def test_an_import_brings_nothing_heavy(use: str) -> None:
    # -S: site imports some of these for .pth files; -I alone keeps those files of an environment.
    folder = str(Path(pydbgwrite.__file__).parent.parent)
    code = f"import sys; sys.path.append({folder!r}); before = set(sys.modules); "
    code += f"import pydbgwrite{use}; print(*sorted(set(sys.modules) - before))"
    brought = set(in_fresh_python(code, "-I", "-S").split())
    assert "pydbgwrite._core" in brought
    assert not brought & (HEAVY if use else HEAVY | DEAR)
    assert not [name for name in brought if name.startswith("pydbgwrite.cli")]


def test_what_c_calls_is_imported_by_python_too() -> None:
    """Python imports the modules that C calls: tools such as PyInstaller follow Python imports."""
    sources = ROOT / "csrc" / "python"
    named = set()
    for path in sources.rglob("*.c"):
        named |= set(re.findall(r'PyImport_ImportModule\("([\w.]+)"\)', path.read_text()))
    assert "pydbgwrite._from_c" in named
    brought = in_fresh_python("import sys, pydbgwrite; print(*sys.modules)").split()
    assert {name for name in named if name.startswith("pydbgwrite")} <= set(brought)
    package = Path(pydbgwrite.__file__).parent
    imported = "".join(path.read_text() for path in package.glob("*.py"))
    assert re.search(
        r"^import pydbgwrite\._from_c|^from pydbgwrite import .*_from_c", imported, re.M
    )


def test_the_identity_of_a_process_needs_no_openssl() -> None:
    """hashlib loads it, in longer than the rest of a small undo takes."""
    code = "import sys; from pydbgwrite._journal.linux_process import digest; "
    code += "print(digest(b'abc'), '_hashlib' in sys.modules)"
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert in_fresh_python(code).split() == [digest, "False"]


def test_an_import_needs_no_debugger() -> None:
    """The import succeeds on every platform; without a debugger only opening a target fails."""
    assert in_fresh_python("import pydbgwrite; print(pydbgwrite.__version__)").strip() == (
        pydbgwrite.__version__
    )


def test_star_import() -> None:
    code = "from pydbgwrite import *; print(*sorted(n for n in dir() if n[0] != '_'))"
    names = set(in_fresh_python(code).split())
    assert names == {name for name in pydbgwrite.__all__ if not name.startswith("_")}


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_all_is_complete(module: ModuleType) -> None:
    for name in module.__all__:
        assert hasattr(module, name), name
    assert sorted(set(module.__all__)) == sorted(module.__all__), "a name is there twice"
    public = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and (inspect.isclass(value) or inspect.isroutine(value))
        and (getattr(value, "__module__", "") or "").startswith("pydbgwrite")
        # The errors, like all exports of the package, name the package as their module.
        and (module in (pydbgwrite, errors) or value.__module__ == module.__name__)
    }
    assert public <= set(module.__all__)


EXPORTS = [name for name in pydbgwrite.__all__ if hasattr(getattr(pydbgwrite, name), "__module__")]


@pytest.mark.parametrize("name", EXPORTS)
def test_exports_go_by_the_package_name(name: str) -> None:
    """Tracebacks, help() and pickles use the package name. Classes are pickled by name."""
    value = getattr(pydbgwrite, name)
    assert value.__module__ == "pydbgwrite"
    assert pickle.loads(pickle.dumps(value)) is value


def test_a_patch_that_nobody_asked_for_goes_by_that_name_too() -> None:
    """A lazily imported class has the package name before the package is asked for the class."""
    code = "import pydbgwrite._patch.preview as late; print(late.ScatteredEntry, late.PreviewEntry)"
    assert in_fresh_python(code).strip() == (
        "<class 'pydbgwrite.ScatteredEntry'> <class 'pydbgwrite.PreviewEntry'>"
    )


def test_help_and_completion_show_public_names_alone() -> None:
    assert dir(pydbgwrite) == sorted(pydbgwrite.__all__)
    completed = rlcompleter.Completer({"package": pydbgwrite}).attr_matches("package.")
    assert {each.partition(".")[2].partition("(")[0] for each in completed} == {
        name for name in pydbgwrite.__all__ if not name.startswith("_")
    }
    text = pydoc.plain(pydoc.render_doc(pydbgwrite))
    # The tree of classes. A name with a dot is of another module and appears only as a base.
    tree = text[text.index("\nCLASSES\n") : text.index("\n    class ")]
    assert set(re.findall(r"^ +(\w+)(?:\(.*)?$", tree, flags=re.MULTILINE)) == {
        name for name in EXPORTS if inspect.isclass(getattr(pydbgwrite, name))
    }


def documented_things() -> list[tuple[str, object]]:
    """Return every public module, function, class, method and property with its name."""
    found: list[tuple[str, object]] = []
    for module in PUBLIC:
        found.append((module.__name__, module))
        for name in module.__all__:
            value = getattr(module, name)
            if not (inspect.isclass(value) or inspect.isroutine(value)):
                continue
            found.append((f"{module.__name__}.{name}", value))
            if inspect.isclass(value):
                for member in dir(value):
                    if not member.startswith("_") and not hasattr(Exception, member):
                        found.append((f"{name}.{member}", inspect.getattr_static(value, member)))
    return found


def is_slot(value: object) -> bool:
    """Return whether it is an attribute of __slots__; a dict in __slots__ has its docstring."""
    return inspect.ismemberdescriptor(value)


def test_everything_public_has_a_docstring() -> None:
    things = documented_things()
    assert len(things) > 60
    without = [
        name
        for name, value in things
        if not (value.__doc__ or (is_slot(value) and inspect.getdoc(value)) or "").strip()
        # The class describes the fields of its tuples.
        and not isinstance(value, (int, str))
    ]
    assert not without


def test_errors_say_so_in_their_docstrings() -> None:
    for name in errors.__all__:
        doc = getattr(errors, name).__doc__
        assert doc
        assert doc[0].isupper()


def test_every_module_can_be_imported() -> None:
    """Every module for this platform can be imported; the command line needs its own packages."""
    # A module for only one platform asserts that platform.
    others = {"pydbgwrite._opening.linux"}
    if sys.platform != "win32":
        others = {"pydbgwrite._opening.dbgeng", "pydbgwrite._windows_processes"}
    for found in pkgutil.walk_packages(pydbgwrite.__path__, "pydbgwrite."):
        if ".cli" in found.name or found.name.endswith("__main__"):
            continue
        if found.name in others:
            continue
        module = importlib.import_module(found.name)
        assert module.__doc__, found.name


def test_types_are_shipped() -> None:
    folder = os.path.dirname(pydbgwrite.__file__)  # noqa: PTH120
    assert os.path.exists(os.path.join(folder, "py.typed"))  # noqa: PTH110, PTH118


class _Followed(modulefinder.ModuleFinder):
    """A finder that follows the imports between this package's modules, as freezers do."""

    def find_module(self, name: str, path: Any, parent: Any = None) -> Any:
        inside = parent is not None and parent.__name__.partition(".")[0] == "pydbgwrite"
        if not inside and not (parent is None and name in ("pydbgwrite", "__init__")):
            raise ImportError(name)
        return super().find_module(name, path, parent)


def test_a_freezer_finds_every_module() -> None:
    """Python imports lead to every module. Freezers don't see imports in C or names in strings."""
    package = Path(pydbgwrite.__file__).parent
    finder = _Followed([str(package.parent)])
    finder.run_script(str(package / "__main__.py"))
    modules = {
        ".".join(("pydbgwrite", *file.relative_to(package).with_suffix("").parts))
        for file in package.rglob("*.py")
    }
    missing = {each.removesuffix(".__init__") for each in modules} - set(finder.modules)
    assert missing == {
        "pydbgwrite.__main__",  # the finder names it __main__
        "pydbgwrite.testing",  # for programs that import it themselves
        # Separate programs, which a frozen program does not start:
        "pydbgwrite._demo.child",
        "pydbgwrite.cli.doctor.self_check_child",
    }
