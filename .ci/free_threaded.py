"""A free-threaded CPython: one that is on PATH, or one built from Debian's source package."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from functools import partial
from pathlib import Path

from machine import ROOT, Failure, need, run, say

#: The suite of Debian that has the source, and its package.
SUITE, PACKAGE = "trixie", "python3.13"
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
#: Of the modules that the tests import: the header that a library's package has, and that package.
LIBRARIES = {
    "ffi.h": "libffi-dev",
    "zlib.h": "zlib1g-dev",
    "openssl/ssl.h": "libssl-dev",
    "sqlite3.h": "libsqlite3-dev",
    "lzma.h": "liblzma-dev",
    "bzlib.h": "libbz2-dev",
}
CACHE = ROOT / ".cache" / "free-threaded"
_ABOUT = "import sys; sys.exit('free-threading' not in sys.version)"


def free_threaded_python() -> Path:
    """Return the interpreter. Building one takes some minutes; it is kept in .cache."""
    for name in ("python3.14t", "python3.13t", "python3"):
        found = shutil.which(name) or ""
        about = [found, "-I", "-c", _ABOUT]
        if found and subprocess.run(about, check=False, capture_output=True).returncode == 0:
            return Path(found)
    kept = CACHE / "python" / "bin" / "python3.13t"
    if not kept.exists():
        _build(kept.parent.parent)
    return kept


def _build(target: Path) -> None:
    need("gcc")
    need("make")
    need("debian-archive-keyring", test=KEYS.exists)
    for header, package in LIBRARIES.items():
        need(package, test=partial(_has_header, header))
    shutil.rmtree(CACHE, ignore_errors=True)
    source = _source()
    # In another folder until it is whole.
    made = CACHE / "made"
    say("building it, which takes some minutes")
    configure = ("./configure", "-q", f"--prefix={target}", "--disable-gil", "--with-ensurepip=no")
    optimized = {"OPT": "-O2 -g0 -Wall"}
    run(*configure, "--disable-test-modules", cwd=source, variables=optimized, quiet=True)
    run("make", "-s", f"-j{os.cpu_count()}", cwd=source, quiet=True)
    run("make", "-s", "install", f"DESTDIR={made}", cwd=source, quiet=True)
    shutil.move(made / target.relative_to("/"), target)
    shutil.rmtree(source)


def _has_header(name: str) -> bool:
    include = Path("/usr/include")
    return any((each / name).exists() for each in (include, *include.glob("*-linux-gnu")))


def _archive() -> str:
    """Return the address of Debian's archive, as this machine's apt has it."""
    asked = ("apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages")
    said = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    for line in said.splitlines():
        label, _, address = line.partition(" ")
        if label == "Debian":
            return address
    raise Failure("apt knows no archive of Debian, which has the source of CPython")


def _source() -> Path:
    """Return the folder of CPython's source, from one more package list than the machine's own."""
    lists = CACHE / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (lists / folder).mkdir(parents=True)
    (lists / "sources.list").write_text(
        f"deb-src [signed-by={KEYS}] {_archive()} {SUITE} main\n", encoding="utf-8"
    )
    (lists / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{lists}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
        f'Dir::State::lists "{lists}/lists";\nDir::Cache "{lists}/cache";\n'
        'APT::Sandbox::User "root";\n',
        encoding="utf-8",
    )
    apt = {"APT_CONFIG": str(lists / "apt.conf")}
    run("apt-get", "-q", "update", variables=apt, quiet=True)
    run("apt-get", "-q", "source", "--download-only", PACKAGE, cwd=CACHE, variables=apt)
    archives = list(CACHE.glob("*.orig.tar.xz"))
    if len(archives) != 1:
        raise Failure(f"the source package has {len(archives)} archives of CPython, not one")
    with tarfile.open(archives[0]) as files:
        files.extractall(CACHE / "source", filter="data")
    (source,) = (CACHE / "source").iterdir()
    return source
