"""Fails if a test is skipped for a reason that CI does not accept.

    python .ci/check_skips.py [--clone | --windows | --lane | --lane-older | --lane-32] JUNIT.xml...

CI installs the programs and packages that the tests need, so a skip because one is missing means
that CI has not tested all that it claims. A skip is accepted by its reason, only if such a machine
can't run the test: on Linux, there in a clone (--clone), on Windows (--windows), in the Windows
lane (--lane), in its share on an older engine (--lane-older), on its 32-bit Python (--lane-32). On
Windows tests of Microsoft's engine must run, over every kind of session.
"""

from __future__ import annotations

import re
import sys
from xml.etree import ElementTree

#: Reasons that are accepted, as regular expressions that begin at the reason's first character,
#: and the least number of tests of Microsoft's engine that must have run.
CLONE = (
    r".*\bWindows\b",  # needs a Windows machine, or the Windows lane
    r".*\bPYDBGWRITE_(PYTHON32|DBGENG_OLDER)\b",  # provided by that lane
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
WINDOWS = (*EVERY_WINDOWS, r"no older engine ")  # the lane has one
LANE = (*EVERY_WINDOWS, r"Wine")  # tests that Wine can't run
LANE_32 = (
    *LANE,
    r"needs a 64-bit Python beside the 32-bit program$",
    r"needs 64-bit pointers in the target$",
    r"no older engine ",  # it has one, of 64 bits
    r"Pybag imports capstone, whose win32 wheel holds a 64-bit DLL$",
)
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
    options = {
        "--clone": CLONE,
        "--windows": WINDOWS,
        "--lane": LANE,
        "--lane-older": LANE,
        "--lane-32": LANE_32,
    }
    option = arguments[0] if arguments and arguments[0] in options else None
    accepted = options.get(option or "", LINUX)
    on_windows = accepted in (WINDOWS, LANE, LANE_32)
    enough = ENOUGH_ENGINE_TESTS if accepted in (WINDOWS, LANE) and option != "--lane-older" else 0
    every_case = ENGINE_CASES_32 if accepted is LANE_32 else ENGINE_CASES
    ran = engine = bad = 0
    cases: set[str] = set()
    for path in arguments[option is not None :]:
        for case in ElementTree.parse(path).iter("testcase"):
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
                where = f"{case.get('classname')}::{case.get('name')}"
                print(f"skipped in CI: {where}: {reason or 'no reason given'}", file=sys.stderr)
    if not ran:
        print("no test has run", file=sys.stderr)
    print(f"{ran} tests have run, {engine} of them of Microsoft's engine")
    too_few = engine < enough
    if too_few:
        print(f"only {engine} tests of Microsoft's engine have run", file=sys.stderr)
    missing = every_case - cases if on_windows else set()
    if missing:
        print(f"no test has run over {', '.join(sorted(missing))}", file=sys.stderr)
    return 1 if bad or not ran or too_few or missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
