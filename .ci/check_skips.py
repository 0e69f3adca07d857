"""Fails when a test was skipped for a reason that CI does not accept.

    python .ci/check_skips.py JUNIT.xml...

CI installs what the tests need, so a skip for want of a program or a package means that CI has not
tested what it says it has. Only what such a machine can't have is accepted, by its reason.
"""

from __future__ import annotations

import re
import sys
from xml.etree import ElementTree

#: Reasons that are accepted, as regular expressions.
ACCEPTED = (
    r"\bWindows\b",  # needs a Windows machine, or the Windows lane
    r"\bPYDBGWRITE_PYTHON32\b",  # a 32-bit Windows Python, which that lane provides
)


def main(paths: list[str]) -> int:
    """Print every skipped test that should have run."""
    ran = bad = 0
    for path in paths:
        for case in ElementTree.parse(path).iter("testcase"):
            skipped = case.find("skipped")
            if skipped is None:
                ran += 1
                continue
            if skipped.get("type") == "pytest.xfail":
                continue
            reason = (skipped.get("message") or "").strip()
            if not reason or not any(re.search(each, reason) for each in ACCEPTED):
                bad += 1
                where = f"{case.get('classname')}::{case.get('name')}"
                print(f"skipped in CI: {where}: {reason or 'no reason given'}", file=sys.stderr)
    if not ran:
        print("no test has run", file=sys.stderr)
    return 1 if bad or not ran else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
