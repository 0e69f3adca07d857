"""Checks the built site for faults that Sphinx does not report: python docs/check_site.py FOLDER.

It prints each fault and exits with 1 if there is one.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

#: Members of Session in their order of use, not in alphabetical order.
ORDER = [
    "target",
    "modules",
    "query",
    "resolve",
    "read_pointers",
    "read_scattered",
    "read",
    "write_pointers",
    "write_scattered",
    "write",
    "transaction",
    "data_spaces",
    "serve",
    "close",
    "detach",
    "terminate",
]
_VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


class Page(HTMLParser):
    """The parts of one page that the checks need."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: list[str] = []
        self.styles: list[str] = []
        self.ids: list[str] = []
        self.output: list[str] = []  # the text of each block of output
        self.labels: list[str] = []  # of the fields of a description: "Parameters", "Type"
        self.unwrapped_tables = 0
        self.first = ""  # the item after the heading: "img", or the first words
        self._open: list[tuple[str, str]] = []
        self._heading_seen = False
        self.feed(text)
        self.close()

    def _inside(self, tag: str, of_class: str = "") -> bool:
        return any(
            each == tag and (not of_class or of_class in classes.split())
            for each, classes in self._open
        )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note links, images, ids and tables."""
        found = {name: value or "" for name, value in attrs}
        classes = found.get("class", "")
        if tag == "a":
            self.links.append(found.get("href", ""))
        if tag == "img":
            self.images.append(found.get("src", ""))
            if self._heading_seen and not self.first:
                self.first = "img"
        if tag == "link" and found.get("rel") == "stylesheet":
            self.styles.append(found.get("href", ""))
        if tag == "table" and "docutils" in classes.split():
            self.unwrapped_tables += not self._inside("div", "table-wrapper")
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "div" and "highlight-text" in classes.split():
            self.output.append("")
        if tag not in _VOID:
            self._open.append((tag, classes))

    def handle_endtag(self, tag: str) -> None:
        """Leave an element, and all elements still open in it."""
        self._heading_seen = self._heading_seen or tag == "h1"
        if any(tag == each for each, _ in self._open):
            while self._open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        """Note text."""
        if self._inside("div", "highlight-text"):
            self.output[-1] += data
        if self._open and self._open[-1][0] == "dt" and "field" in self._open[-1][1]:
            self.labels.append(data.strip())
        in_article = self._inside("article") and not self._inside("h1")
        if self._heading_seen and in_article and not self.first:
            self.first = data.strip()


def faults_of(name: str, text: str) -> list[str]:
    """Return the faults of one page."""
    page = Page(text)
    found = [
        f"{link!r} is a link, and no address of the web"
        for link in page.links
        if re.match(r"(?!https?:)[a-z]+:", link)
    ]
    if page.unwrapped_tables:
        found.append(f"{page.unwrapped_tables} tables are in no table-wrapper, which scrolls them")
    if not any("site.css" in style for style in page.styles):
        found.append("site.css is missing: input and output look alike")
    if "Type" in page.labels and name.startswith("reference/"):
        found.append("the text before a colon was taken for a type: reword that docstring")
    if name == "index.html":
        if not any("verified by the target: yes" in each for each in page.output):
            found.append("no output of `pydbgwrite demo` that says: verified by the target")
        if not any("performance" in image for image in page.images):
            found.append("no plot of the performance")
    if name == "performance.html" and page.first != "img":
        found.append(f"it begins with {page.first[:40]!r}, not with the plot")
    if name == "performance.html" and (build := re.search(r"Linux \d+\.\d+[.-][^\s,<]*", text)):
        found.append(f"{build[0]!r} names the build of one machine's kernel")
    if name == "reference/session.html":
        prefix = "pydbgwrite.Session."
        members = [each.removeprefix(prefix) for each in page.ids if each.startswith(prefix)]
        if [each for each in members if each in ORDER] != ORDER:
            found.append(f"Session's members are not in the order of work: {' '.join(members)}")
    return found


def main() -> int:
    """Check each page; return the exit code."""
    folder = Path(sys.argv[1])
    # The report in _static is a page of its own, which howto/review.html shows in a frame.
    pages = sorted(set(folder.rglob("*.html")) - set(folder.glob("_static/*")))
    faults = [
        f"{name}: {fault}"
        for path in pages
        for name in [path.relative_to(folder).as_posix()]
        for fault in faults_of(name, path.read_text(encoding="utf-8"))
    ]
    needed = (
        *("index.html", "performance.html", "reference/session.html"),
        *("howto/review.html", "_static/report.html"),
    )
    faults += [f"{name}: missing" for name in needed if not (folder / name).is_file()]
    print(*faults, f"{len(pages)} pages, {len(faults)} faults", sep="\n")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
