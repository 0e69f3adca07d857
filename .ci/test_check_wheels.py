"""What check_wheels.py accepts as the files of a release."""

from __future__ import annotations

from pathlib import Path

import pytest
from check_wheels import BUILDS, EVERYWHERE, check_artifacts

RELEASE = [
    "pydbgwrite-1.0.tar.gz",
    *(f"pydbgwrite-1.0-{tag}-{name}.whl" for tag in BUILDS.values() for name in EVERYWHERE),
]


@pytest.mark.parametrize("wrong", ["other-1.0", "pydbgwrite-1.1", ""])
def test_files_of_one_release(tmp_path: Path, wrong: str) -> None:
    for name in RELEASE:
        (tmp_path / name).touch()
    assert check_artifacts(tmp_path)
    (tmp_path / RELEASE[1]).unlink()
    if wrong:
        (tmp_path / RELEASE[1].replace("pydbgwrite-1.0", wrong)).touch()
    assert not check_artifacts(tmp_path)


def test_files_of_another_project(tmp_path: Path) -> None:
    for name in RELEASE:
        (tmp_path / name.replace("pydbgwrite", "other")).touch()
    assert not check_artifacts(tmp_path)
