"""The table in CONTRIBUTING.md that says how each wheel is proven, and where.

    python .ci/wheel_table.py            prints it
    python .ci/wheel_table.py --write    puts it into CONTRIBUTING.md

It is made from the wheels of check_wheels.py, from the steps of .ci/run that passed and what
they say that they prove (`proves`), from the steps that the workflows run, and from the tests that
pyproject.toml sets for cibuildwheel. A step that never passed proves nothing. A step that runs
without being named proves nothing either if it passed last more than RECENT before the newest pass
of all. .ci/run keeps what passed in .cache/ran.json; --write adds it to .ci/ran.json. A test of .ci
compares the table with the page.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from datetime import date, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from check_wheels import BUILDS, EVERYWHERE
from pipeline import ALL, STEPS
from steps import RAN

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "CONTRIBUTING.md"
WORKFLOWS = ROOT / ".github" / "workflows"
BEGIN = "<!-- Made by .ci/wheel_table.py --write -->\n"
END = "<!-- The end of what it makes -->\n"
HEAD = "| wheel | on this machine, by `.ci/run` | by .github, as set up |\n|---|---|---|\n"
#: The steps that passed, and ALL: each with the date, commit and seconds of the last time.
PASSED = ROOT / ".ci" / "ran.json"
#: Steps that run without being named have passed within that time before the newest pass.
RECENT = timedelta(days=7)
#: When a workflow runs.
WHEN = {"ci.yml": "each push", "weekly.yml": "weekly"}
#: Jobs of ci.yml that run no step, and what they show of a wheel.
JOBS = {
    "windows": {
        "cp311-abi3-win_amd64": (
            "built by MSVC, the suite on Windows, with the engine of System32 and the SDK's, "
            "CPython 3.11 and 3.14"
        )
    }
}


def steps_of(workflow: str) -> set[str]:
    """Return the steps that a workflow runs."""
    text = (WORKFLOWS / workflow).read_text(encoding="utf-8")
    found = re.findall(r"^ *- run: (?:.* )?\.ci/run ([a-z0-9 -]+)$", text, re.MULTILINE)
    return {name for line in found for name in line.split()}


def runners() -> dict[str, str]:
    """Return the machine on which wheels.yml builds and tests each platform's wheels."""
    text = (WORKFLOWS / "wheels.yml").read_text(encoding="utf-8")
    found = dict(re.findall(r"\{ name: ([\w-]+), runner: ([\w.-]+), archs: \w+ \}", text))
    every = {}
    for platform in EVERYWHERE:
        name = re.sub("^(many|musl)linux_", "linux-", platform)
        every[platform] = found[name]
    return every


def tests_of(identifier: str) -> str:
    """Return what cibuildwheel tests of a build: the suite, or the suite without a part."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        settings: dict[str, Any] = tomllib.load(file)["tool"]["cibuildwheel"]
    command = settings["test-command"]
    whole = command
    for override in settings["overrides"]:
        if fnmatch(identifier, override["select"]):
            command = override.get("test-command", command)
    left_out = command.removeprefix(whole).replace("{project}/", "").strip()
    return f"the suite with `{left_out}`" if left_out else "the suite"


def passed() -> dict[str, dict[str, Any]]:
    """Return the steps that passed."""
    found: dict[str, dict[str, Any]] = json.loads(PASSED.read_text(encoding="utf-8"))
    return found


def here(wheel: str) -> str:
    """Return what the steps of .ci/run prove of a wheel."""
    found = []
    dates = {name: date.fromisoformat(each["date"]) for name, each in passed().items()}
    for step in STEPS:
        if step.name not in dates:
            continue
        if not step.by_name and dates[step.name] < max(dates.values()) - RECENT:
            continue
        how = [text for pattern, text in step.proves.items() if fnmatch(wheel, pattern)]
        last = f"by name, {dates[step.name]}" if step.by_name else "each run"
        found += [f"{text} (`{step.name}`, {last})" for text in how]
    return "; ".join(found) or "not at all"


def there(wheel: str, identifier: str) -> str:
    """Return what the workflows prove of a wheel."""
    platform = identifier.partition("-")[2]
    audited = "built, audited" if "abi3" in wheel else "built"
    found = [
        f"{audited}, {tests_of(identifier)} on {runners()[platform]} (`wheels.yml`, for a release)"
    ]
    for job, shows in JOBS.items():
        if wheel in shows:
            found.append(f"{shows[wheel]} (job `{job}` of `ci.yml`, {WHEN['ci.yml']})")
    for workflow, when in WHEN.items():
        ran = [
            f"`{step.name}`"
            for step in STEPS
            if step.name in steps_of(workflow)
            and any(fnmatch(wheel, pattern) for pattern in step.proves)
        ]
        if ran:
            steps = "step" if len(ran) == 1 else "steps"
            found.append(f"{steps} {', '.join(ran)} (`{workflow}`, {when})")
    return "; ".join(found)


def table() -> str:
    """Return the table, a row for each wheel, and how long a whole run took."""
    rows = []
    for build, tag in BUILDS.items():
        for platform in EVERYWHERE:
            wheel, identifier = f"{tag}-{platform}", f"{build}-{platform}"
            rows.append(f"| `{wheel}` | {here(wheel)} | {there(wheel, identifier)} |\n")
    if last := passed().get(ALL):
        took = f"{last['seconds']:,} s of {last['budget']:,} s"
        rows.append(f"\nThe last whole run of `.ci/run` took {took} ({last['date']}).\n")
    return HEAD + "".join(rows)


def on_page() -> tuple[str, str, str]:
    """Return the page before the table, the table, and the page behind it."""
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    now, end, behind = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{PAGE.name} has no place for the table: {BEGIN.strip()}")
    return before + begin, now, end + behind


def main(arguments: list[str]) -> int:
    """Run the command line; return its exit code."""
    if arguments == ["--write"]:
        if RAN.exists():
            now = passed() | json.loads(RAN.read_text(encoding="utf-8"))
            PASSED.write_text(json.dumps(now, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        before, _, behind = on_page()
        PAGE.write_text(before + table() + behind, encoding="utf-8")
    elif arguments:
        print(__doc__, file=sys.stderr)
        return 2
    else:
        print(table(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
