"""Sphinx's settings for the documentation: `make docs`, or `.ci/run docs`, warnings as errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util import logging

import pydbgwrite
from pydbgwrite import errors, hresults, testing

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_extensions"))

project = "pydbgwrite"
author = "the authors of pydbgwrite"
version = release = pydbgwrite.__version__
project_copyright = author

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "stub_signatures",
    "sample_report",
]
exclude_patterns = ["_build", "_extensions"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Every name of this package that a page or a docstring refers to must be in the reference.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!pydbgwrite\.).*")]
autodoc_typehints = "signature"
autodoc_type_aliases = {"Session": "pydbgwrite.Session"}
default_role = "py:obj"  # `write_pointers` in a docstring links to it; any other `word` is code
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
smartquotes = False  # docstrings have code in quotes
MICROSOFT = "https://learn.microsoft.com/en-us/windows-hardware/drivers/ddi/dbgeng/"
manpages_url = "https://man7.org/linux/man-pages/man{section}/{page}.{section}.html"

html_theme = "furo"
html_title = f"pydbgwrite {release}"
html_copy_source = False
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
copybutton_prompt_text = "$ "
copybutton_selector = "div:not(.highlight-text) > div.highlight pre"  # output is not copied

# Files outside of docs/ that are pages of the site, or that have a corresponding page.
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
    "SECURITY.md": "security.md",
    "tests/README.md": "tests.md",
}
EVERY_ERROR = [
    f".. autoexception:: {name}\n   :show-inheritance:"
    for name, thing in vars(errors).items()  # in the order of definition: the base first
    if name in errors.__all__ and issubclass(thing, Exception)
]
EVERY_HRESULT = [
    f"| `0x{value:08X}` | `{name}` | {meaning} |"
    for value, (name, meaning) in sorted(hresults.HRESULTS.items())
]
INCLUDED = {page: file for file, page in PAGES.items() if page != "index.md"}


def demo_output() -> str:
    """Return the current output of `pydbgwrite demo` on this machine."""
    done = subprocess.run(
        [sys.executable, "-m", "pydbgwrite", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        message = "pydbgwrite demo ended with exit code %d: %s"
        logging.getLogger(__name__).warning(message, done.returncode, done.stdout, location="index")
    return done.stdout.rstrip()


def site_link(link: re.Match[str], source: Path, page: Path) -> str:
    """Return a link of a file in the folder `source` as a link of a page in the folder `page`."""
    words, target, place = link[1], link[2], link[3] or ""
    path = os.path.normpath(source / target)
    if path in PAGES:
        path = f"docs/{PAGES[path]}"
    if not path.startswith("docs/"):
        return words  # the site has no such page
    return f"[{words}]({os.path.relpath(path, page)}{place})"


def read_source(app: Sphinx, name: str, content: list[str]) -> None:
    """Include files from outside of docs/, and point links to pages of the site."""
    text = content[0]
    if "{{demo}}" in text:
        app.env.note_reread()  # each build runs it
        text = text.replace("{{demo}}", demo_output())
    page = Path("docs", f"{name}.md")
    source = Path(INCLUDED.get(f"{name}.md", page))
    if source != page:
        text = (HERE.parent / source).read_text(encoding="utf-8")
    text = re.sub(
        r"\[([^\]]+)\]\((?!https?:)([^)#\s]+\.md)(#[^)]*)?\)",
        lambda link: site_link(link, source.parent, page.parent),
        text,
    )
    text = text.replace("{{every error}}", "\n".join(EVERY_ERROR))
    text = text.replace("{{every HRESULT}}", "\n".join(EVERY_HRESULT))
    content[0] = text


def link_sources(
    app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Link the man pages and the pages of Microsoft's that a docstring names."""
    del app, what, name, thing, options
    for place, line in enumerate(lines):
        linked = re.sub(r"\bn[fs]-dbgeng-[\w-]+", rf"`\g<0> <{MICROSOFT}\g<0>>`__", line)
        lines[place] = re.sub(r"\b[a-z_][a-z0-9_]*\([1-8]\)", r":manpage:`\g<0>`", linked)


def only_web_links(app: Sphinx, page: nodes.document) -> None:
    """Show text that docutils mistakes for a link as text: tcp:port=5005, memcpy@GLIBC_2.2.5."""
    del app
    for link in page.findall(nodes.reference):
        if re.match(r"(?!https?:)[a-z]+:", link.get("refuri", "")):
            link.replace_self(link.children)


def name_files(app: Sphinx, page: nodes.document) -> None:
    """Name a block by its file, if the text before it names that file, as in "`shop.cpp`:"."""
    del app
    for block in list(page.findall(nodes.literal_block)):
        place = block.parent.index(block)
        before = block.parent[place - 1] if place else None
        code = list(before.findall(nodes.literal)) if isinstance(before, nodes.paragraph) else []
        name = code[-1].astext() if code else ""
        told = re.escape(name) + r"(?: \([^)]*\))?:$"
        if re.fullmatch(r"[\w.-]+\.\w+", name) and re.search(told, before.astext()):
            caption = nodes.caption(name, name)
            wrapper = nodes.container(literal_block=True, classes=["literal-block-wrapper"])
            block.replace_self(wrapper)
            wrapper += [caption, block]
            page.note_implicit_target(wrapper, wrapper)


def mark_options(app: Sphinx, context: object, lines: list[str]) -> None:
    """Show the options that the help of a command names as code."""
    del app, context
    for place, line in enumerate(lines):
        if not line.startswith(".. "):
            lines[place] = re.sub(r"(?<![\w`-])--[a-z][a-z-]*[a-z]", r"``\g<0>``", line)


def show_example(app: Sphinx, context: object, lines: list[str]) -> None:
    """Show the command that ends the help of a command as shell code."""
    del app, context
    texts = [text for line in lines if (text := line.strip("| "))]
    lines[:] = [".. code-block:: sh", "", *(f"   {text}" for text in texts[-1:]), ""]


def public_bases(app: Sphinx, name: str, thing: object, options: object, bases: list[type]) -> None:
    """Show the bases of a private base class in its place."""
    del app, name, thing, options
    bases[:] = [
        each
        for base in bases
        for each in (base.__bases__ if base.__name__.startswith("_") else (base,))
    ]


def report_missing(app: Sphinx, environment: BuildEnvironment) -> None:
    """Warn of each public name that the reference lacks."""
    del app
    documented = environment.domains.python_domain.objects
    public = [f"pydbgwrite.{name}" for name in pydbgwrite.__all__ if not name.startswith("__")]
    for owner in (
        pydbgwrite.Session,
        pydbgwrite.Transaction,
        pydbgwrite.Patch,
        pydbgwrite.DataSpaces,
        pydbgwrite.ProcessServer,
    ):
        described_by_class = getattr(owner, "__slots__", ())
        public += [
            f"pydbgwrite.{owner.__name__}.{name}"
            for name in dir(owner)
            if not name.startswith("_") and name not in described_by_class
        ]
    public += [f"pydbgwrite.testing.{name}" for name in testing.__all__]
    for name in sorted(set(public) - set(documented)):
        message = "public, but not in docs/reference: %s"
        logging.getLogger(__name__).warning(message, name, location="reference/index")


def setup(app: Sphinx) -> None:
    """Register the functions above."""
    app.connect("source-read", read_source)
    app.connect("autodoc-process-docstring", link_sources)
    app.connect("autodoc-process-bases", public_bases)
    app.connect("doctree-read", only_web_links)
    app.connect("doctree-read", name_files)
    app.connect("sphinx-click-process-description", mark_options)
    app.connect("sphinx-click-process-options", mark_options)
    app.connect("sphinx-click-process-epilog", show_example)
    app.connect("env-check-consistency", report_missing)
