"""The README is correct: its example runs as printed, and CI runs its two commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.places import ROOT

import pydbgwrite

IN_PLACE = Path(pydbgwrite.__file__).resolve().parent == ROOT / "pydbgwrite"
README = (ROOT / "README.md").read_text(encoding="utf-8")

COMMANDS = [
    'python -m pip install -e ".[cli]" && pydbgwrite demo',
    'python -m pip install -e ".[test]" && python -m pytest',
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def test_the_example_runs_as_printed() -> None:
    (example,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", example], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == blocks("text")[-1]


def test_the_example_is_short() -> None:
    (example,) = blocks("python")
    assert len(example.strip().splitlines()) <= 13
    assert max(map(len, example.splitlines())) <= 100


def test_the_two_commands_are_there() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert [line for line in lines if line.startswith("python -m pip install ")] == COMMANDS


@pytest.mark.skipif(not (ROOT / ".ci").is_dir(), reason="an sdist holds no .ci")
def test_ci_runs_them() -> None:
    """.ci/environments.py takes the lines with this start and runs them unchanged."""
    lines = [line for line in README.splitlines() if line.startswith("python -m pip install ")]
    assert lines == COMMANDS
    script = (ROOT / ".ci" / "environments.py").read_text(encoding="utf-8")
    assert 'start = "python -m pip install "' in script
    assert '"-euo", "pipefail", "-c", commands[number]' in script


@pytest.mark.skipif(not IN_PLACE, reason="the package is not installed in place")
def test_what_it_suggests_works_inside_the_clone() -> None:
    """The suggestions work in the clone, where Python finds the source folder first."""
    (example,) = blocks("python")
    functions = re.findall(r"`help\(([\w.]+)\)`", README)
    assert len(functions) >= 2
    for name in functions:
        assert run_in_the_clone("-c", f"import pydbgwrite; help({name})").startswith("Help on ")
    assert run_in_the_clone("-m", "pydbgwrite", "--version").startswith("pydbgwrite ")
    assert run_in_the_clone("-", text=example) == blocks("text")[-1]


def run_in_the_clone(*arguments: str, text: str = "") -> str:
    """Return the output of Python, started in the clone as a user starts it."""
    environment = {each: value for each, value in os.environ.items() if each != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, *arguments],
        input=text,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / target).is_file(), target


@pytest.mark.parametrize(
    "document", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name
)
def test_links_of_the_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).is_file(), target


def test_the_tests_that_are_named_for_facts_exist() -> None:
    text = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", text))
    assert len(named) > 30
    for file, test in named:
        (path,) = (ROOT / "tests").glob(f"*/{file}")
        assert f"def {test}(" in path.read_text(encoding="utf-8"), (file, test)
