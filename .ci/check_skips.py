"""Fails if a test is skipped for a reason that CI does not accept, has failed, or too few have run.

    python .ci/check_skips.py [--clone | --windows | --lane | --lane-wine-10 | --lane-older |
                               --lane-32] [--at-least TESTS] JUNIT.xml...

CI installs the programs and packages that the tests need, so a skip because one is missing means
that CI has not tested all that it claims. A skip is accepted by its reason, only if such a machine
can't run the test: on Linux, there in a clone (--clone), on Windows (--windows), in the Windows
lane (--lane), there on Wine 10, where tests of page protection must run (--lane-wine-10), in the
share on an older engine (--lane-older), on the 32-bit Python (--lane-32). On Windows tests of
Microsoft's engine must run, over every kind of session.
"""

from __future__ import annotations

import argparse
import re
import sys
from xml.etree import ElementTree

#: tests/docs/test_docs_wine.py, which runs in the lane.
ABOUT_WINE = r"the rows are about 64-bit Wine$"
#: Reasons that are accepted, as regular expressions that begin at the reason's first character,
#: and the least number of tests of Microsoft's engine that must have run.
CLONE = (
    ABOUT_WINE,
    r"Microsoft's engine(, on| is for) Windows$",
    r"needs the x86 engine, on a 32-bit Windows Python$",
    r"the peers are in the Windows lane ",
    r"no (32-bit Python|older engine) \(PYDBGWRITE_(PYTHON32|DBGENG_OLDER)\)",  # as that lane has
    r"got empty parameter set for \(dump_case\)$",  # dumps are for Microsoft's engine
    r"needs root: ((time )?namespaces|userfaultfd|mounts|other owners)\b",  # root runs all
    r"there is no Rust compiler: rustc$",  # a large package; unit tests have names of Rust
    r"the 32-bit program is one for x86$",  # on arm64
    r"needs Dask, which the step `hosts` installs$",
    r"there is no chromium\b",  # the step `newest` installs it
    r"this kernel (runs without Landlock|has no freezer of cgroup v1)$",
)
LINUX = (
    *CLONE,
    r"with capabilities this Python does not find its library$",
    r"a free-threaded CPython has no GIL$",
    r"the demangler has no wheel for the free-threaded CPython 3\.13$",
    r"an sdist holds no \.ci$",  # if the tests are those of the sdist,
    r"the package is not installed in place$",  # and the package is a wheel's
)
# Here "Windows" in a reason excuses nothing: a missing engine has it in its reason, too.
EVERY_WINDOWS = (
    r"(for live )?Linux processes\b",
    r"/proc/self/statm; Windows has other means$",
    r"process_vm_writev; Windows has other means$",
    r"fork$",
    r"setitimer$",
    r"needs POSIX ",
    r"os\.kill ends a process there$",
    r"no signal can be sent to a thread$",
    r"no thread id came back\b",
    r"process_vm_writev; tests/dbgeng covers dbgeng$",
    r"calls usleep\(3\) through a vtable$",
    r"lays out memory by mmap\(2\)$",
    r"/proc/self/maps$",
    r"making symbolic links is a privilege there$",
    r"there is no C compiler: .*, on Windows$",
    r"needs the x86 engine, on a 32-bit Windows Python$",
    r"the package is not installed in place$",
    r"got empty parameter set for ",  # over engines that are absent
)
#: The lane has these.
WINDOWS = (*EVERY_WINDOWS, ABOUT_WINE, r"no older engine ", r"the peers are in the Windows lane ")
LANE = (*EVERY_WINDOWS, r"Wine 8's WriteProcessMemory ignores page protection$")
LANE_32 = (
    *LANE,
    ABOUT_WINE,
    r"Wine 8 ends a 32-bit program that a debugger starts$",
    r"needs a 64-bit Python beside the 32-bit program$",
    r"needs 64-bit pointers in the target$",
    r"no older engine ",  # it has one, of 64 bits
    r"Pybag imports capstone, whose win32 wheel holds a 64-bit DLL$",
)
PLACES = {
    "clone": CLONE,
    "windows": WINDOWS,
    "lane": LANE,
    "lane-wine-10": EVERY_WINDOWS,
    "lane-older": LANE,
    "lane-32": LANE_32,
}
ENGINE_TESTS = "test_dbgeng_"
ENOUGH_ENGINE_TESTS = 50
#: The cases of the conformance suite over that engine, each of which must have run.
ENGINE_CASES = frozenset(
    f"dbgeng-{name}"
    for name in ("8", "i386-4", "wow64-4", "dump-8", "remote-8", "process-server-8")
)
ENGINE_CASES_32 = frozenset(
    f"dbgeng-{name}" for name in ("4", "dump-4", "remote-4", "process-server-4")
)


def main(arguments: list[str]) -> int:
    """Print every skipped test that must run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    place = parser.add_mutually_exclusive_group()
    for name in PLACES:
        place.add_argument(f"--{name}", dest="place", action="store_const", const=name)
    parser.add_argument("--at-least", type=int, default=1, metavar="TESTS")
    parser.add_argument("reports", nargs="+", metavar="JUNIT.xml")
    options = parser.parse_args(arguments)
    accepted = PLACES.get(options.place, LINUX)
    on_windows = options.place not in (None, "clone")
    enough = ENOUGH_ENGINE_TESTS if options.place in ("windows", "lane", "lane-wine-10") else 0
    every_case = ENGINE_CASES_32 if accepted is LANE_32 else ENGINE_CASES
    ran = engine = bad = 0
    cases: set[str] = set()
    for path in options.reports:
        for case in ElementTree.parse(path).iter("testcase"):
            where = f"{case.get('classname')}::{case.get('name')}"
            if case.find("error") is not None or case.find("failure") is not None:
                bad += 1
                print(f"failed: {where}", file=sys.stderr)
                continue
            skipped = case.find("skipped")
            if skipped is None:
                ran += 1
                engine += ENGINE_TESTS in (case.get("classname") or "")
                parameters = (case.get("name") or "").partition("[")[2]
                cases.update(each for each in every_case if re.match(rf"{each}[-\]]", parameters))
                continue
            if skipped.get("type") == "pytest.xfail":
                continue
            reason = (skipped.get("message") or "").strip()
            if reason == "collection skipped":  # a whole file; its reason is in the text
                match = re.search(r"'Skipped: (.*)'\)$", (skipped.text or "").strip())
                reason = match[1] if match else reason
            if not reason or not any(re.match(each, reason) for each in accepted):
                bad += 1
                print(f"skipped in CI: {where}: {reason or 'no reason given'}", file=sys.stderr)
    print(f"{ran} tests have run, {engine} of them of Microsoft's engine")
    too_few = ran < options.at_least or engine < enough
    if ran < options.at_least:
        print(f"at least {options.at_least} tests must run", file=sys.stderr)
    if engine < enough:
        print(f"only {engine} tests of Microsoft's engine have run", file=sys.stderr)
    missing = every_case - cases if on_windows else set()
    if missing:
        print(f"no test has run over {', '.join(sorted(missing))}", file=sys.stderr)
    return 1 if bad or too_few or missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
