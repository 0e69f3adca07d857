"""A Sphinx extension: docstrings as this project writes them, for help(), as reStructuredText.

They are plain text with a few habits, and this turns each into markup:

- a paragraph of lines `name: text` (or `one, other: text`) describes parameters;
- an indented paragraph is code;
- `code` is in single backquotes;
- names of the package link to its reference, man pages such as ptrace(2) and Microsoft's pages
  (nf-dbgeng-...) to where they are published.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import itertools
import re
import textwrap
import tomllib
from typing import TYPE_CHECKING, Final

from sphinx.util import logging

import pydbgwrite
from pydbgwrite import errors, testing

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

__all__ = ["converted", "setup"]

_LOG: Final = logging.getLogger(__name__)
_MICROSOFT: Final = "https://learn.microsoft.com/en-us/windows-hardware/drivers/ddi/dbgeng/"
_PARAMETERS: Final = re.compile(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*): +(\S.*)")
_HEADED: Final = re.compile(r"^(Attributes|Args|Returns|Raises|Yields):$")

#: What is turned into markup within a line: the first alternative that matches wins.
_INLINE: Final = re.compile(
    r"(?P<role>:[\w:]+:`[^`]+`)"
    r"|(?P<literal>``[^`]+``)"
    r"|(?P<code>`[^`]+`)"
    r"|(?P<microsoft>\bn[fs]-dbgeng-[\w-]+)"
    r"|(?P<manual>\b[a-z_][a-z0-9_]*\([1-8]\))"
    r"|(?P<name>\b(?:pydbgwrite\.)?[A-Za-z_]\w*(?:\.\w+)*(?P<call>\(\))?)(?P<value>=(?=\S))?"
    r"|(?P<special>[\\*|])"
)


def _targets() -> dict[str, str]:
    """What a docstring may call each public thing, and its full name."""
    found: dict[str, str] = {}
    for owner in ("Session", "ProcessServer", "DataSpaces"):
        for name in dir(getattr(pydbgwrite, owner)):
            if not name.startswith("_"):
                full = f"pydbgwrite.{owner}.{name}"
                found[f"{owner}.{name}"] = full
                # Without its class a word such as "read" is a word, but for calls.
                found.setdefault(name if "_" in name else f"{name}()", full)
    for module in (testing, errors, pydbgwrite):
        for name in module.__all__:
            if not name.startswith("__"):
                full = f"pydbgwrite.{'testing.' if module is testing else ''}{name}"
                callable_word = inspect.isroutine(getattr(module, name)) and "_" not in name
                found[f"{name}()" if callable_word else name] = full
    return found


_TARGETS: Final = _targets()


def _name(found: re.Match[str], own: str) -> str:
    text = found["name"]
    bare = text.removesuffix("()").removeprefix("pydbgwrite.")
    target = None
    if found["call"]:
        target = _sibling(own, bare) or _TARGETS.get(f"{bare}()")
    target = target or _TARGETS.get(bare)
    if target is None or target == own or own.startswith(f"{target}."):
        return re.sub(r"_(?=\W|$)", r"\\_", text)
    return f":py:obj:`{text} <{target}>`"


def _sibling(own: str, name: str) -> str | None:
    """The method of that name of the class that is described, or whose member is."""
    owner = own.split(".")[1]
    kind = getattr(pydbgwrite, owner, None)
    if inspect.isclass(kind) and inspect.isroutine(getattr(kind, name, None)):
        return f"pydbgwrite.{owner}.{name}"
    return None


def _marked_up(line: str, own: str) -> str:
    def replace(found: re.Match[str]) -> str:
        kind, text = found.lastgroup, found.group()
        if kind == "value":  # an argument, such as engine=path
            return text
        if kind == "call":
            kind = "name"
        match kind:
            case "role" | "literal":
                return text
            case "code":
                return f"`{text}`"
            case "microsoft":
                return f"`{text} <{_MICROSOFT}{text}>`__"
            case "manual":
                return f":manpage:`{text}`"
            case "special":
                return f"\\{text}"
        return _name(found, own)

    return _INLINE.sub(replace, line)


def _paragraphs(lines: list[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            found[-1].append(line.rstrip())
        elif found[-1]:
            found.append([])
    return [each for each in found if each]


def _apart(line: str, names: frozenset[str]) -> list[str]:
    """The parameters that one line describes: "cwd: ...; env: ..." has two."""
    found = [line]
    for each in re.finditer(r"[.;] (\w+): ", line):
        if each[1] in names:
            kept = len(line) - len(found[-1])
            found[-1:] = [found[-1][: each.start() + 1 - kept], line[each.start() + 2 :]]
    return found


def _parameters(paragraph: list[str], own: str, names: frozenset[str]) -> list[str] | None:
    """The paragraph as fields; None where it does not begin with a parameter."""
    if not (first := _PARAMETERS.fullmatch(paragraph[0])):
        return None
    if not set(first[1].replace("*", "").split(", ")) <= names:
        return None
    fields: list[tuple[list[str], list[str]]] = []
    for line in (part for each in paragraph for part in _apart(each, names)):
        described = _PARAMETERS.fullmatch(line)
        if described:
            fields.append((described[1].replace("*", "").split(", "), [described[2]]))
        else:
            fields[-1][1].append(line.strip())
    result = []
    for given, text in fields:
        for name in given:
            result.append(f":param {name}: {_marked_up(text[0], own)}")
            result += [f"    {_marked_up(line, own)}" for line in text[1:]]
    return result


def _headed(paragraph: list[str], own: str) -> list[str]:
    """A section of Google's style, such as Attributes: a definition a name."""
    result: list[str] = []
    for line in paragraph[1:]:
        described = _PARAMETERS.fullmatch(line.strip())
        if described and line.startswith("    ") and not line.startswith("     "):
            result += ["", f"``{described[1]}``", f"    {_marked_up(described[2], own)}"]
        else:
            result.append(f"    {_marked_up(line.strip(), own)}")
    return result


def converted(lines: list[str], own: str, names: frozenset[str]) -> list[str]:
    """The docstring of `own`, which takes parameters of these names, as reStructuredText."""
    result: list[str] = []
    for is_code, found in itertools.groupby(_paragraphs(lines), _is_code):
        if is_code:
            result += _code(list(found))
        else:
            result += _prose(list(found), own, names)
    return result


def _is_code(paragraph: list[str]) -> bool:
    return all(line.startswith("    ") for line in paragraph)


def _code(paragraphs: list[list[str]]) -> list[str]:
    """Paragraphs of code, side by side, as one block."""
    lines = [line for paragraph in paragraphs for line in (*paragraph, "")]
    text = textwrap.dedent("\n".join(lines))
    language = "text"
    for name, parse in (("python", ast.parse), ("toml", tomllib.loads)):
        with contextlib.suppress(SyntaxError, tomllib.TOMLDecodeError):
            parse(text)
            language = name
            break
    return [f".. code-block:: {language}", "", *lines]


def _prose(paragraphs: list[list[str]], own: str, names: frozenset[str]) -> list[str]:
    result: list[str] = []
    for paragraph in paragraphs:
        fields = _parameters(paragraph, own, names)
        if _HEADED.match(paragraph[0]):
            result += _headed(paragraph, own)
        elif fields is not None:
            result += fields
        else:
            result += [_marked_up(line, own) for line in paragraph]
        result.append("")
    return result


def _names(thing: object) -> frozenset[str]:
    """The parameters of a callable; for a class its fields and what is a member of it."""
    if inspect.isclass(thing):
        # What __init__ assigns is among the names that its code has.
        code = getattr(thing.__init__, "__code__", None)
        return frozenset((*dir(thing), *(code.co_names if code is not None else ())))
    try:
        return frozenset(inspect.signature(thing).parameters)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return frozenset()


def _process(
    app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    del app, what, options
    lines[:] = converted(lines, name, _names(thing))


def _signature(
    app: Sphinx,
    what: str,
    name: str,
    thing: object,
    options: object,
    signature: str | None,
    returned: str | None,
) -> tuple[str | None, str | None] | None:
    """Public names for classes; none at all for a class that nobody calls."""
    del app, thing, options
    if signature is None:
        return None
    if what == "exception" or name.rpartition(".")[2] in _NOT_CALLED:
        return "", None
    public = [
        None if each is None else re.sub(r"\bpydbgwrite\._\w+\.", "pydbgwrite.", each)
        for each in (signature, returned)
    ]
    return public[0], public[1]


def _bases(app: Sphinx, name: str, thing: object, options: object, bases: list[type]) -> None:
    """In the place of a private base class its own bases."""
    del app, name, thing, options
    bases[:] = [
        each
        for base in bases
        for each in (base.__bases__ if base.__name__.startswith("_") else (base,))
    ]


_NOT_CALLED: Final = frozenset(
    ("Session", "DataSpaces", "ProcessServer", "Transaction", "MemoryBasicInformation")
)


def _missing(app: Sphinx, environment: BuildEnvironment) -> None:
    """Warn of what is public and not in the reference."""
    del app
    documented = environment.domains.python_domain.objects
    for full in sorted(set(_TARGETS.values()) - set(documented)):
        _LOG.warning("public, but not in docs/reference: %s", full, location="reference/index")


def setup(app: Sphinx) -> dict[str, object]:
    """Register with Sphinx."""
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-bases", _bases)
    app.connect("env-check-consistency", _missing)
    app.connect("autodoc-process-signature", _signature)
    return {"version": "1", "parallel_read_safe": True}
