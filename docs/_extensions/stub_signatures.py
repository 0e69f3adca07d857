"""A Sphinx extension: the types of compiled functions and attributes, from _core.pyi.

CPython's text signatures have no annotations, so autodoc by itself shows no types for them.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx import addnodes

import pydbgwrite

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

_STUB = ast.parse(Path(pydbgwrite.__file__).with_name("_core.pyi").read_text(encoding="utf-8"))
_ALIASES = {
    each.target.id: each.value
    for each in _STUB.body
    if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.value
}


class _Public(ast.NodeTransformer):
    """Replaces a private alias by its definition."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return _ALIASES.get(node.id, node)


def _union(annotations: list[ast.expr | None]) -> str:
    texts = [ast.unparse(_Public().visit(each)) for each in annotations if each is not None]
    parts = [part for text in texts for part in ([text] if "[" in text else text.split(" | "))]
    unique = list(dict.fromkeys(parts))
    return " | ".join(
        [*(each for each in unique if each != "None"), *("None" in unique) * ["None"]]
    )


def _signature(overloads: list[ast.FunctionDef]) -> tuple[str, str]:
    """Return one signature for all overloads: a parameter has the types of all, and any default."""
    words = []
    first = overloads[0].args
    for kind in ("posonlyargs", "args", "kwonlyargs"):
        if kind == "kwonlyargs" and first.kwonlyargs:
            words.append("*")
        for place, argument in enumerate(getattr(first, kind)):
            if argument.arg == "self":
                continue
            default = None
            annotations = []
            for each in overloads:
                annotations.append(getattr(each.args, kind)[place].annotation)
                if kind == "kwonlyargs":
                    value = each.args.kw_defaults[place]
                else:
                    # The defaults are those of the last positional parameters of either kind.
                    behind = place - len(each.args.args) + len(each.args.defaults)
                    if kind == "posonlyargs":
                        behind -= len(each.args.posonlyargs)
                    value = each.args.defaults[behind] if behind >= 0 else None
                default = default or value
            ending = f" = {ast.unparse(default)}" if default is not None else ""
            words.append(f"{argument.arg}: {_union(annotations)}{ending}")
        if kind == "posonlyargs" and len(first.posonlyargs) > 1:
            words.append("/")
    return f"({', '.join(words)})", _union([each.returns for each in overloads])


def _signatures() -> dict[str, tuple[str, str]]:
    overloads: dict[str, list[ast.FunctionDef]] = {}
    for owner in _STUB.body:
        if isinstance(owner, ast.ClassDef):
            for each in owner.body:
                if isinstance(each, ast.FunctionDef) and not each.name.startswith("_"):
                    overloads.setdefault(f"{owner.name}.{each.name}", []).append(each)
    return {f"pydbgwrite.{name}": _signature(found) for name, found in overloads.items()}


def _attributes() -> dict[str, str]:
    """Return the type of each property of the stub."""
    return {
        f"pydbgwrite.{owner.name}.{each.name}": ast.unparse(each.returns)
        for owner in _STUB.body
        if isinstance(owner, ast.ClassDef)
        for each in owner.body
        if isinstance(each, ast.FunctionDef) and each.decorator_list and each.returns is not None
    }


def setup(app: Sphinx) -> dict[str, object]:
    """Register the extension with Sphinx."""
    found = _signatures()

    def process(app: Sphinx, what: str, name: str, *rest: object) -> tuple[str, str] | None:
        del app, rest
        return found.get(name) if what == "method" else None

    attributes = _attributes()

    def show_types(app: Sphinx, page: nodes.document) -> None:
        del app
        for described in page.findall(addnodes.desc):
            signature = described.next_node(addnodes.desc_signature)
            if described["objtype"] != "attribute" or signature is None:
                continue
            name = f"{signature['module']}.{signature['fullname']}"
            if name in attributes:
                text = f": {attributes[name]}"
                signature += addnodes.desc_annotation(text, text)

    app.connect("autodoc-process-signature", process)
    app.connect("doctree-read", show_types)
    return {"version": "1", "parallel_read_safe": True}
