"""What the suite reaches of the package, in C and in Python, against what is kept.

    python .ci/coverage_report.py EXTENSION.json PROGRAMS.json PYTHON.json
    python .ci/coverage_report.py EXTENSION.json PROGRAMS.json PYTHON.json --write

The first two are gcovr's, of the extension and of the tests in C; the third is that of coverage.
With --write it keeps the figures. It prints the figures, and each line that no test reaches, by
file, with its reason in .ci/unreached.toml. It fails if a figure is below the one in
.ci/coverage.json, if such a line has no reason, and if a reason stands for no such line.
"""

from __future__ import annotations

import ast
import io
import json
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / ".ci" / "coverage.json"
REASONS = ROOT / ".ci" / "unreached.toml"
#: Random tests and moments of kills reach a few lines more or less.
SLACK_PERCENT = 0.3


@dataclass
class File:
    """The lines of a file with code, and those of them that were reached.

    functions: of a file in C, the function of a line.
    """

    lines: set[int] = field(default_factory=set)
    reached: set[int] = field(default_factory=set)
    functions: dict[int, list[str]] = field(default_factory=dict)
    branches: int = 0
    branches_taken: int = 0

    @property
    def unreached(self) -> list[int]:
        """The lines that no test reaches, in order."""
        return sorted(self.lines - self.reached)


Report = dict[str, File]


def of_gcovr(extension: Mapping[str, Any], programs: Mapping[str, Any]) -> Report:
    """Read gcovr's JSON reports. What the extension or a test in C reaches or takes counts.

    The programs have more files, and leave some out: the extension says which lines have code.
    """
    in_programs: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for each in programs["files"]:
        for line in each["lines"]:
            in_programs.setdefault((each["file"], line["line_number"]), []).append(line)
    found: Report = {}
    for each in extension["files"]:
        file = found.setdefault(each["file"], File())
        for line in each["lines"]:
            number = line["line_number"]
            both = [line, *in_programs.get((each["file"], number), ())]
            file.lines.add(number)
            file.functions[number] = [line.get("function_name", "")]
            if any(other["count"] > 0 for other in both):
                file.reached.add(number)
            file.branches += len(line["branches"])
            file.branches_taken += branches_taken(line, both)
    return found


def branches_taken(line: Mapping[str, Any], both: Sequence[Mapping[str, Any]]) -> int:
    """Return how many branches of a line are taken in one build or the other.

    A line with other branches is another line to the compiler, such as an assert of tests alone.
    """
    counts = [[branch["count"] for branch in other["branches"]] for other in both]
    same = [each for each in counts if len(each) == len(line["branches"])]
    return sum(any(count > 0 for count in each) for each in zip(*same, strict=True))


def of_coverage(report: Mapping[str, Any]) -> Report:
    """Read the JSON report of coverage."""
    found: Report = {}
    for name, each in report["files"].items():
        reached = set(each["executed_lines"])
        file = File(reached | set(each["missing_lines"]), reached)
        file.branches = each["summary"]["num_branches"]
        file.branches_taken = each["summary"]["covered_branches"]
        found[Path(name).as_posix()] = file
    return found


def percent(part: int, whole: int) -> float:
    """Return a part in percent, rounded down, so that 100 means all."""
    if whole == 0:  # an empty report shows nothing
        raise ValueError("a report has no lines, or no branches")
    return (1000 * part // whole) / 10


def figures(language: str, report: Report) -> dict[str, float]:
    """Return the figures of one language."""
    files = report.values()
    lines = percent(
        sum(len(each.reached) for each in files), sum(len(each.lines) for each in files)
    )
    taken = percent(
        sum(each.branches_taken for each in files), sum(each.branches for each in files)
    )
    return {f"{language}, lines": lines, f"{language}, branches": taken}


@dataclass(frozen=True)
class Reason:
    """Why lines are not reached: all of a file or of a function, by a pattern, or after a line.

    after: of a text in a line, the unreached lines from there to the next that is reached, in the
    block that the line begins or is in.
    sometimes: some runs reach them.
    """

    why: str
    file: str
    pattern: str = ""
    function: str = ""
    after: str = ""
    sometimes: bool = False

    def __str__(self) -> str:
        return f"{self.file}: {self.function or self.pattern or self.after or 'the whole file'}"

    def holds_for(self, name: str, since: Sequence[str], functions: Sequence[str]) -> bool:
        """Is it the reason of an unreached line in these functions?

        since: the texts from the last line that is reached to this one.
        """
        return (
            fnmatch(name, self.file)
            and re.search(self.pattern, since[-1]) is not None
            and self.function in ("", *functions)
            and any(self.after in text for text in since)
        )


def read_reasons(text: str) -> list[Reason]:
    """Read .ci/unreached.toml."""
    found = []
    for group in tomllib.loads(text).get("unreached", []):
        reason = partial(Reason, group["why"], sometimes=group.get("sometimes", False))
        found += [reason(name) for name in group.get("files", ())]
        for kind, form in (("functions", "function"), ("patterns", "pattern"), ("after", "after")):
            found += [
                reason(name, **{form: each})
                for name, all_of_file in group.get(kind, {}).items()
                for each in all_of_file
            ]
    return found


def functions_of(lines: Sequence[str]) -> dict[int, list[str]]:
    """Return the names of the functions and classes in Python around each line."""
    found: dict[int, list[str]] = {}
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                found.setdefault(number, []).append(node.name)
    return found


def statements_in_python(texts: Sequence[str]) -> dict[int, int]:
    """Return for each line of code the line where its statement, or the head of its block, begins.

    A head is the part before a block, such as "if a:" and "else:".
    """
    found: dict[int, int] = {}
    begun = 0
    for token in tokenize.generate_tokens(io.StringIO("\n".join(texts)).readline):
        if token.type == tokenize.NEWLINE:
            found |= dict.fromkeys(range(begun, token.start[0] + 1), begun)
            begun = 0
        elif not begun and token.type in (tokenize.NAME, tokenize.OP, tokenize.STRING):
            begun = token.start[0]
    return found


def statements_in_c(texts: Sequence[str]) -> dict[int, int]:
    """Return the same of C, whose comments stand between /* and */."""
    comment = re.compile(r"/\*.*?\*/", re.DOTALL)
    code = comment.sub(lambda found: re.sub(r"[^\n]", "", found[0]), "\n".join(texts))
    found: dict[int, int] = {}
    begun, ended = 0, True
    for number, line in enumerate(code.split("\n"), 1):
        if line.strip():
            begun = number if ended else begun
            found[number] = begun
            ended = line.startswith("#") or line.rstrip()[-1] in ";{}:"
    return found


def since_reached(
    file: File, texts: Sequence[str], begun: Mapping[int, int]
) -> dict[int, list[str]]:
    """Return for each line the texts from the last line that is reached to it.

    A text goes with its block, which is deeper than its head, as all code here is formatted.
    begun: the lines where the statements begin.
    """
    columns = [len(text) - len(text.lstrip()) for text in texts]
    heads = sorted({*begun.values()})
    inner = {
        head: max(columns[head - 1], columns[following - 1])
        for head, following in zip(heads, [*heads[1:], *heads[-1:]], strict=True)
    }
    found = {}
    since: list[tuple[int, str]] = []  # with the column of its block
    function: list[str] = []
    for number, text in enumerate(texts, 1):
        inside = file.functions.get(number, function)
        if number in file.reached or inside != function:
            since, function = [], inside
        if number in inner:
            since = [each for each in since if each[0] <= columns[number - 1]]
        since = [*since, (inner.get(begun.get(number, 0), columns[number - 1]), text.strip())]
        if number in file.lines:
            found[number] = [each for _, each in since]
    return found


def explain(
    report: Report, texts: Mapping[str, list[str]], reasons: Sequence[Reason]
) -> tuple[list[str], list[str], list[str]]:
    """Return the list of unreached lines, those without a reason, and reasons that are wrong.

    A reason is wrong if it stands for no line that is not reached, unless some runs reach them.
    """
    listed: list[str] = []
    without: list[str] = []
    used = set()
    for name in sorted(report):
        unreached = report[name].unreached
        if unreached:
            listed.append(f"{name}: {len(unreached)} of {len(report[name].lines)} lines")
        if name.endswith(".py"):
            functions, begun = functions_of(texts[name]), statements_in_python(texts[name])
        else:
            functions, begun = report[name].functions, statements_in_c(texts[name])
        texts_since = since_reached(report[name], texts[name], begun)
        for number in unreached:
            since = texts_since[number]
            around = functions.get(number, [])
            found = [reason for reason in reasons if reason.holds_for(name, since, around)]
            used.update(found)
            if not found:
                without.append(f"no test reaches it, and it has no reason: {name}: {since[-1]}")
            listed.append(f"  {number:4} {since[-1]}  -- {found[0].why if found else 'no reason'}")
    wrong = [
        f"a test reaches it, or it is gone: {each}"
        for each in reasons
        if each not in used and not each.sometimes
    ]
    return listed, without, wrong


def fallen(now: Mapping[str, float], kept: Mapping[str, float]) -> list[str]:
    """Return what is worse than the kept figures."""
    found = []
    for name, figure in kept.items():
        if now[name] < figure - SLACK_PERCENT:
            found.append(f"{name}: {now[name]} %, kept: {figure} %")
    return found


def read_texts(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the lines of these files."""
    return {name: (ROOT / name).read_text(encoding="utf-8").splitlines() for name in names}


def main(arguments: list[str]) -> int:
    """Run the command line; return its exit code."""
    write = arguments[3:] == ["--write"]
    if len(arguments) != (4 if write else 3):
        print(__doc__, file=sys.stderr)
        return 2
    extension, programs, python = (
        json.loads(Path(name).read_text(encoding="utf-8")) for name in arguments[:3]
    )
    reports = {"C": of_gcovr(extension, programs), "Python": of_coverage(python)}
    both = {name: file for report in reports.values() for name, file in report.items()}
    reasons = read_reasons(REASONS.read_text(encoding="utf-8"))
    listed, without, wrong = explain(both, read_texts(both), reasons)
    now: dict[str, float] = {}
    for language, report in reports.items():
        now |= figures(language, report)
    print("\n".join(listed))
    print("\n".join(f"{name}: {figure}" for name, figure in now.items()))
    wrong += without
    if write:
        KEPT.write_text(json.dumps(now, indent=2) + "\n", encoding="utf-8")
    else:
        wrong += fallen(now, json.loads(KEPT.read_text(encoding="utf-8")))
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
