"""Finding and loading dbgeng.dll: the places tried, the messages, and the forbidden loads."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from support import dbgeng
from support.dbgeng import NARROW, engine_folder, needs_engine, target
from support.pe_files import library

import pydbgwrite
from pydbgwrite import _dbgeng

pytestmark = needs_engine
#: The width of pointers that this Python does not have, and the message for a file of that width.
OTHER = 64 if NARROW else 32
WRONG = f"is for {'64-bit x86 (x64)' if NARROW else '32-bit x86'}, and this Python for "

# Prints the exception that loading from the named folder raises.
LOAD = """
import os, sys, pydbgwrite
os.environ.pop("PYDBGWRITE_DBGENG", None)
try:
    pydbgwrite.attach(0xFFFFFFF0, engine=sys.argv[1])
except Exception as error:
    print(type(error).__name__, error)
"""


def load(folder: Path | str) -> str:
    """Return the exception that an attach with engine=folder raises in a new process."""
    done = dbgeng.run(LOAD, str(folder))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def with_engine_file(folder: Path, data: bytes) -> Path:
    """Create a folder with those bytes as dbgeng.dll."""
    folder.mkdir()
    (folder / "dbgeng.dll").write_bytes(data)
    return folder


def test_nothing_is_loaded_at_import() -> None:
    done = dbgeng.run(
        "import ctypes, pydbgwrite\n"
        "k = ctypes.windll.kernel32\n"
        "k.GetModuleHandleW.restype = ctypes.c_void_p\n"
        "print([n for n in ('dbgeng', 'dbghelp', 'dbgmodel') if k.GetModuleHandleW(n + '.dll')])"
    )
    assert done.stdout.strip() == "[]", done


def test_a_good_folder_gets_as_far_as_the_process() -> None:
    assert load(engine_folder()).startswith("NoTargetError")


def test_missing(tmp_path: Path) -> None:
    said = load(tmp_path)
    assert said.startswith("EngineNotFoundError") and f"no {tmp_path}\\dbgeng.dll" in said
    assert "the engine argument" in said
    said = load(tmp_path / "nowhere")
    assert said.startswith("EngineNotFoundError") and "no such folder" in said


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    assert load(file).startswith("EngineNotFoundError")


@pytest.mark.parametrize("data", [b"", b"MZ", b"MZ" + bytes(1000), b"plain text\r\n" * 100])
def test_no_library(tmp_path: Path, data: bytes) -> None:
    said = load(with_engine_file(tmp_path / "engine", data))
    assert said.startswith("EngineNotFoundError") and "is not a DLL" in said


@pytest.mark.parametrize("kept", [1000, 100_000])
def test_cut_off(tmp_path: Path, kept: int) -> None:
    data = (Path(engine_folder()) / "dbgeng.dll").read_bytes()[:kept]
    said = load(with_engine_file(tmp_path / "engine", data))
    assert said.startswith("EngineNotFoundError") and "could not be loaded" in said


def test_the_wrong_bitness(tmp_path: Path) -> None:
    said = load(with_engine_file(tmp_path / "engine", library("dbgeng.dll", {}, bits=OTHER)))
    assert said.startswith("EngineNotFoundError") and WRONG in said


@pytest.mark.parametrize("name", ["dbghelp.dll", "DbgModel.dll"])
def test_a_folder_with_libraries_of_both_widths(name: str, tmp_path: Path) -> None:
    """The error names the file that does not belong there, and no other folder's is taken."""
    copy = tmp_path / "copy"
    shutil.copytree(engine_folder(), copy)
    (copy / name).write_bytes(library(name, {}, bits=OTHER))
    said = load(copy)
    assert said.startswith("EngineNotFoundError")
    assert f"{copy}\\{name} {WRONG}".lower() in said.lower()


def test_a_library_that_is_no_engine(tmp_path: Path) -> None:
    data = (Path(sys.executable).with_name("vcruntime140.dll")).read_bytes()
    said = load(with_engine_file(tmp_path / "engine", data))
    assert "has no function DebugCreate" in said


def test_a_relative_folder(tmp_path: Path) -> None:
    assert "not an absolute path" in load("engine")
    assert "not an absolute path" in load(".")
    assert "not an absolute path" in load("")
    assert "not an absolute path" in load("C:engine")


def test_one_engine_a_process(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(engine_folder(), copy)
    with target() as child:
        with pydbgwrite.attach(child.pid, engine=engine_folder()):
            pass
        with pytest.raises(pydbgwrite.EngineNotFoundError, match="already has the engine"):
            pydbgwrite.attach(child.pid, engine=copy)
        with pydbgwrite.attach(child.pid) as session:
            assert session.engine.folder.lower() == engine_folder().lower()
        assert child.runs()


def test_a_mixed_set_is_named(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(Path(engine_folder()) / "dbghelp.dll", copy)
    code = """
import ctypes, sys, warnings, pydbgwrite
other = ctypes.WinDLL(sys.argv[1] + "\\\\dbghelp.dll", winmode=0x900)
warnings.simplefilter("always")
with warnings.catch_warnings(record=True) as said:
    try:
        pydbgwrite.attach(0xFFFFFFF0, engine=sys.argv[2])
    except pydbgwrite.DebugEngineError as error:
        print(error)
print(*(each.message for each in said if each.category is RuntimeWarning))
"""
    done = dbgeng.run(code, str(copy), engine_folder())
    assert str(copy).lower() in done.stdout.lower(), done


def test_nothing_beside_a_frozen_program_is_loaded(tmp_path: Path) -> None:
    """PyInstaller's bootloader makes the bundle a folder in which Windows looks for libraries."""
    bundle = tmp_path / "bundle"
    shutil.copytree(engine_folder(), bundle)
    code = """
import ctypes, os, sys
bundle = sys.argv[1]
sys.frozen, sys._MEIPASS, sys.executable = True, bundle, bundle + "\\program.exe"
ctypes.windll.kernel32.SetDllDirectoryW(bundle)
os.add_dll_directory(bundle)
os.environ["PATH"] = bundle + ";" + os.environ["PATH"]
os.chdir(bundle)
import pydbgwrite
from pydbgwrite import _dbgeng
try:
    pydbgwrite.attach(0xFFFFFFF0)
except pydbgwrite.NoTargetError:
    print(_dbgeng.loaded_engine().folder)
kernel = ctypes.WinDLL("kernel32")
kernel.GetModuleHandleW.restype = ctypes.c_void_p
kernel.GetModuleFileNameW.argtypes = [ctypes.c_void_p, ctypes.c_wchar_p, ctypes.c_uint32]
for name in ("dbgeng.dll", "dbghelp.dll"):
    path = ctypes.create_unicode_buffer(1024)
    assert kernel.GetModuleFileNameW(kernel.GetModuleHandleW(name), path, 1024)
    print(path.value)
os.environ.pop(_dbgeng.ENVIRONMENT)
print(*(each.folder for each in _dbgeng.candidates()), sep="\\n")
"""
    done = dbgeng.run(code, str(bundle))
    assert done.returncode == 0, done.stderr
    folder, *others = done.stdout.lower().splitlines()
    assert folder == engine_folder().lower()
    assert others
    assert not any(str(bundle).lower() in each for each in others)


def test_the_environment_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(_dbgeng.ENVIRONMENT, str(tmp_path))
    assert [each.folder for each in _dbgeng.candidates()] == [str(tmp_path)]
    done = dbgeng.run("import pydbgwrite; pydbgwrite.attach(0xFFFFFFF0)")
    assert str(tmp_path) in done.stderr and _dbgeng.ENVIRONMENT in done.stderr


def test_the_search_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(_dbgeng.ENVIRONMENT, raising=False)
    found = _dbgeng.candidates()
    assert found[-1].folder.lower() == str(Path(os.environ["SYSTEMROOT"]) / "system32").lower()
    assert all(Path(each.folder).is_absolute() for each in found)


def test_the_sdk_in_both_views_of_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    import winreg

    roots = {winreg.KEY_WOW64_64KEY: "C:\\Kits64", winreg.KEY_WOW64_32KEY: "C:\\Kits32"}  # type: ignore[attr-defined,unused-ignore]

    class Key:
        def __init__(self, root: str) -> None:
            self.root = root

        def __enter__(self) -> Key:
            return self

        def __exit__(self, *ignored: object) -> None:
            pass

    def open_key(_root: object, path: str, access: int) -> Key:
        assert path.endswith("Windows Kits\\Installed Roots")
        return Key(next(root for view, root in roots.items() if access & view))

    monkeypatch.setattr(winreg, "OpenKey", open_key)
    monkeypatch.setattr(winreg, "QueryValueEx", lambda key, name: (key.root, 1))
    monkeypatch.delenv(_dbgeng.ENVIRONMENT, raising=False)
    folders = [each.folder for each in _dbgeng.candidates()]
    own = "x86" if NARROW else "x64"
    assert folders[:2] == [f"C:\\Kits64\\Debuggers\\{own}", f"C:\\Kits32\\Debuggers\\{own}"]
