"""Fails if modules of pydbgwrite, or its subpackages, import each other in a circle.

    python .ci/check_imports.py [FOLDER]

Every import counts, within functions and under `if TYPE_CHECKING` too. (import-linter does
not know compiled modules: it treats `from pydbgwrite import _core` as an import of the package
itself, so it can't be configured to search for circles through that module.)
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from check_units import circles


def imports(path: Path, modules: set[Path]) -> Iterator[tuple[int, Path]]:
    """Yield the modules of the package that a file imports, each with its line."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{path}:{node.lineno}: imports are absolute here")
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            module = Path(*name.split("."))
            # The last part may be a name in the module instead of a module.
            found = module if module in modules else module.parent
            if found in modules:
                yield node.lineno, found


def main(arguments: list[str]) -> int:
    """Print the faults; return the exit code."""
    root = Path(
        arguments[0] if arguments else Path(__file__).parent.parent / "pydbgwrite"
    ).resolve()
    files = [
        path.relative_to(root.parent)
        for path in sorted(root.rglob("*.py*"))
        if path.suffix != ".pyc"
    ]
    units = {
        path: path.parent if path.stem == "__init__" else path.with_suffix("") for path in files
    }
    modules = set(units.values())
    lines = [
        (path, line, target)
        for path in files
        for line, target in imports(root.parent / path, modules)
    ]
    wrong = 0
    for what, parts in (("modules", None), ("subpackages", 2)):
        edges: dict[Path, set[Path]] = {Path(*each.parts[:parts]): set() for each in modules}
        for path, _, target in lines:
            one, other = (Path(*each.parts[:parts]) for each in (units[path], target))
            if one != other:
                edges[one].add(other)
        for circle in circles(edges):
            wrong += 1
            print(f"{len(circle)} {what} import each other in a circle:")
            for path, line, target in lines:
                ends = {Path(*each.parts[:parts]) for each in (units[path], target)}
                if len(ends) == 2 and ends <= circle:
                    print(f"    {path}:{line} imports {'.'.join(target.parts)}")
    print(f"{len(modules)} modules, {wrong} circles")
    return 1 if wrong or not modules else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
