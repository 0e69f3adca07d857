"""How Sphinx builds the documentation: `make docs`, or `.ci/run docs`, warnings as errors."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pydbgwrite
from pydbgwrite import errors, hresults

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_extensions"))

project = "pydbgwrite"
author = "the authors of pydbgwrite"
version = release = pydbgwrite.__version__
project_copyright = author

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_click",
    "sphinx_copybutton",
    "house_docstrings",
]
exclude_patterns = ["_build", "_extensions"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Every name of this package that a page or a docstring refers to must be in the reference.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!pydbgwrite\.).*")]
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
smartquotes = False  # docstrings have code in quotes
manpages_url = "https://man7.org/linux/man-pages/man{section}/{page}.{section}.html"

html_theme = "furo"
html_title = f"pydbgwrite {release}"
html_copy_source = False
html_show_sphinx = False
copybutton_prompt_text = "$ "

# What a document names outside of docs/, and the page of the site that shows it.
OUTSIDE = {
    "../CONTRIBUTING.md": "contributing.md",
    "../CHANGELOG.md": "changelog.md",
    "../README.md": "index.md",
}
EVERY_ERROR = [
    f".. autoexception:: {name}\n   :show-inheritance:"
    for name in errors.__all__
    if issubclass(getattr(errors, name), Exception) and name != "DebugEngineError"
]
EVERY_HRESULT = [
    f"| `0x{value:08X}` | `{name}` | {meaning} |"
    for value, (name, meaning) in sorted(hresults.HRESULTS.items())
]
INCLUDED = {"contributing": "CONTRIBUTING.md", "changelog": "CHANGELOG.md"}


def read_source(app: Sphinx, name: str, content: list[str]) -> None:
    """Take files of the repository's top in as pages, and point links to where a page is."""
    del app
    text = content[0]
    if name in INCLUDED:
        text = (HERE.parent / INCLUDED[name]).read_text(encoding="utf-8")
        text = re.sub(r"\]\((?!https?:|#)(?=[\w.]+\.md)", "](../", text)
        text = text.replace("](../docs/", "](").replace("](docs/", "](")
    text = text.replace("{{every error}}", "\n".join(EVERY_ERROR))
    text = text.replace("{{every HRESULT}}", "\n".join(EVERY_HRESULT))
    for outside, page in OUTSIDE.items():
        text = text.replace(f"]({outside}", f"]({page}")
    content[0] = text


def setup(app: Sphinx) -> None:
    """Register what is above."""
    app.connect("source-read", read_source)
