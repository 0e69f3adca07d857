"""Start the demo's child process and talk to it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from pydbgwrite._child_process import PATIENCE, Child, python_command
from pydbgwrite._demo.proof import ObjectsProof, Proof
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._wrong_wheel import not_loaded, refuse_untagged
from pydbgwrite.errors import NoTargetError

__all__ = ["DemoChild", "DemoObjects", "DemoTable", "ObjectsChild"]

#: Seconds that each pointer adds to the child's time limit, and the highest limit.
_PATIENCE_PER_POINTER: Final = 1e-6
_MOST_PATIENCE: Final = 3600.0


@dataclass(frozen=True, slots=True)
class DemoTable:
    """The address of the child's table, and the addresses of its functions by number."""

    address: int
    functions: list[int]


@dataclass(frozen=True, slots=True)
class DemoObjects:
    """Where the child's objects are, and the addresses of the three tables."""

    address: int
    size: int
    tables: list[int]


def _check_module() -> None:
    """Raise NoTargetError if the child's compiled module can't be loaded: it could not say why."""
    try:
        refuse_untagged("_demo_target")
        import_module("pydbgwrite._demo_target")
    # As for the package's own module, in pydbgwrite/__init__.py.
    except not_from_handler(ImportError, SystemError) as error:
        raise NoTargetError(f"{not_loaded('_demo_target', error)}") from None


class _DemoChild(Child):
    """A running child (pydbgwrite/_demo/child.py)."""

    def __init__(self, what: str, pointers: int) -> None:
        # -P: a folder pydbgwrite in the current one is not the installed package.
        command = python_command("-P", "-m", "pydbgwrite._demo.child", what, str(pointers))
        _check_module()
        patience = min(PATIENCE + pointers * _PATIENCE_PER_POINTER, _MOST_PATIENCE)
        super().__init__("the demo's child", command, patience)

    def ready(self) -> Any:
        """Wait for what the child says first. MemoryError if the child has too little."""
        said = self.hear()
        if said["event"] == "error":
            raise MemoryError(said["message"])
        return said


class DemoChild(_DemoChild):
    """A child with a table of function pointers."""

    def __init__(self, pointers: int) -> None:
        super().__init__("table", pointers)

    def table(self) -> DemoTable:
        """Wait for the child's table and return it. MemoryError if the child has too little."""
        said = self.ready()
        return DemoTable(said["address"], [*said["originals"], *said["replacements"]])

    def prove(self) -> Proof:
        """Make the child call through its whole table; return its proof."""
        said = self.ask("check")
        return Proof(said["checksum"], said["originals"], said["replacements"])


class ObjectsChild(_DemoChild):
    """A child with objects that point to tables."""

    def __init__(self, pointers: int) -> None:
        super().__init__("objects", pointers)

    def objects(self) -> DemoObjects:
        """Wait for the child's objects. MemoryError if the child has too little."""
        said = self.ready()
        return DemoObjects(said["address"], said["size"], said["tables"])

    def prove(self) -> ObjectsProof:
        """Make the child call through each object; return its proof."""
        said = self.ask("check")
        first, second, third = said["calls"]
        return ObjectsProof(said["checksum"], (first, second, third))
