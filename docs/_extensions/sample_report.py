"""Make the report page that docs/howto/review.md shows, of the program and the patch there."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.util import logging

import pydbgwrite

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SOURCE = Path("howto", "review.md")
NAMED = re.compile(r"`([\w.-]+\.\w+)`:\n\n```\w+\n(.*?)^```", re.DOTALL | re.MULTILINE)


def sample_report(text: str) -> str:
    """Return the page of the patch in this text, previewed on the program in it."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in NAMED.findall(text):
            Path(folder, name).write_text(content, encoding="utf-8")
        subprocess.run(["cc", "-o", "events", "events.c"], cwd=folder, check=True)
        with subprocess.Popen(
            [Path(folder, "events")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as program:
            assert program.stdout is not None
            program.stdout.readline()  # it has started
            with pydbgwrite.attach(program.pid) as session:
                patch = pydbgwrite.Patch.load(Path(folder, "log-all.toml"))
                page = patch.preview(session).to_html()
            program.communicate()
    return page.replace(f"{folder}/", "/home/you/")


def write_sample(app: Sphinx, exception: Exception | None) -> None:
    """Write the page beside the site's static files."""
    if exception is not None or app.builder.format != "html":
        return
    text = (Path(app.srcdir) / SOURCE).read_text(encoding="utf-8")
    try:
        page = sample_report(text)
    except (OSError, subprocess.CalledProcessError, pydbgwrite.Error) as failure:
        message = "the report of the sample could not be made: %s"
        logging.getLogger(__name__).warning(message, failure, location="howto/review")
    else:
        Path(app.outdir, "_static", "report.html").write_text(page, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register it."""
    app.connect("build-finished", write_sample)
    return {"parallel_read_safe": True}
