"""Makes docstrings.h from the stub of the compiled module, _core.pyi.

The stub holds the docstrings of the C code, beside the signatures, where editors find them.
setup.py calls write_header(); each docstring becomes a macro, such as DOC_Session_write_pointers.
For a method or a function it begins with the signature that inspect.signature() reads.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["write_header"]

_HEAD = """\
/* The docstrings of _core.pyi. make_docstrings.py makes this file: edit the stub instead. */
#ifndef PYDBGWRITE_PYTHON_DOCSTRINGS_H
#define PYDBGWRITE_PYTHON_DOCSTRINGS_H

"""
_TAIL = "#endif\n"


def _parameters(overloads: list[ast.FunctionDef], implicit: str) -> str:
    """Return the parameters as CPython writes them; one optional in any overload is optional."""
    defaults: dict[str, str] = {}
    for function in overloads:
        arguments = function.args
        given = [*arguments.posonlyargs, *arguments.args]
        optional = given[len(given) - len(arguments.defaults) :]
        pairs = [
            *zip(optional, arguments.defaults, strict=True),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ]
        for argument, value in pairs:
            if value is not None:
                defaults.setdefault(argument.arg, ast.unparse(value))
    arguments = overloads[0].args
    is_method = implicit == "$self"
    only_by_position = [each.arg for each in arguments.posonlyargs]
    either = [each.arg for each in arguments.args]
    if is_method:
        (only_by_position or either).pop(0)
    words = [implicit, *only_by_position, "/", *either]
    if arguments.kwonlyargs:
        words += ["*", *(each.arg for each in arguments.kwonlyargs)]
    return ", ".join(f"{word}={defaults[word]}" if word in defaults else word for word in words)


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a body, those under `if sys.platform` too."""
    for statement in body:
        if isinstance(statement, ast.If):
            yield from _statements(statement.body)
        else:
            yield statement


def _found(body: list[ast.stmt], owner: str) -> Iterator[tuple[str, str]]:
    """Yield each documented name, with the text of its docstring for C."""
    functions: dict[str, list[ast.FunctionDef]] = {}
    for statement in _statements(body):
        if isinstance(statement, ast.ClassDef):
            yield statement.name, ast.get_docstring(statement) or ""
            yield from _found(statement.body, f"{statement.name}_")
        elif isinstance(statement, ast.FunctionDef):
            functions.setdefault(statement.name, []).append(statement)
    for name, overloads in functions.items():
        texts = [text for each in overloads if (text := ast.get_docstring(each))]
        if not texts:
            continue
        decorators = [ast.unparse(each) for each in overloads[0].decorator_list]
        signature = ""
        if "property" not in decorators:
            parameters = _parameters(overloads, "$self" if owner else "$module")
            signature = f"{name}({parameters})\n--\n\n"
        yield f"{owner}{name}", signature + texts[0]


def _literal(text: str) -> str:
    """Return a C string literal, with one line for each line of text."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    if not escaped.isascii():
        raise ValueError(f"a docstring of the stub is not ASCII: {escaped!r}")
    lines = escaped.split("\n")
    ended = [*(f"{line}\\n" for line in lines[:-1]), lines[-1]]
    return " \\\n".join(f'    "{line}"' for line in ended)


def write_header(stub: Path, header: Path) -> None:
    """Write the header, unless it exists with the same content."""
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    macros = [
        f"#define DOC_{name} \\\n{_literal(text)}\n\n"
        for name, text in _found(tree.body, "")
        if text
    ]
    content = "".join([_HEAD, *macros, _TAIL])
    if not header.exists() or header.read_text(encoding="utf-8") != content:
        header.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    write_header(Path(sys.argv[1]), Path(sys.argv[2]))
