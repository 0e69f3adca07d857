"""The images that a guest boots: a kernel with its initramfs, and a disk with Debian on it.

Both are parts of the cache. The disk is the same for all kernels of an architecture; the package
and its tests come to the guest as a tar (guests.py).
"""

from __future__ import annotations

import lzma
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from lane_cache import ROOT, Cache, LaneError, call, fetch, note

from kernels.machines import USER, Architecture, Kernel
from kernels.sources import SUITE, Packages, debian_tree

RECIPE = 1  # raise it if a step changes without a change of names
PACKAGES = (
    *("dash", "bash", "coreutils", "mount", "procps", "util-linux", "kmod", "iproute2"),
    *("python3", "gcc", "libc6-dev", "libpython3.11-dev"),
)
PYTHON = "3.11"  # the version in that suite
SITE = Path("usr/local/lib", f"python{PYTHON}", "dist-packages")
MODULES = ("virtio_pci", "virtio_blk", "ext4", "virtio_rng", "fuse")
DISK_SIZE = "2G"  # sparse
NOT_NEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache", "var/lib/apt")
ACCOUNTS = {
    "etc/passwd": f"root:x:0:0::/root:/bin/bash\nuser:x:{USER}:{USER}::/tmp:/bin/bash\n",
    "etc/group": f"root:x:0:\nuser:x:{USER}:\n",
    "etc/hosts": "127.0.0.1 localhost\n",
}

LINKS = {"usr/bin/sh": "dash", "usr/bin/cc": "gcc"}  # the packages' scripts would make them

# Debian's kernels have most drivers as modules, the disk's among them: this loads them.
FIRST_PROGRAM = """#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod $module; done
tries=0
while [ ! -b /dev/vdc ] && [ $tries -lt 200 ]; do sleep 0.05; tries=$((tries + 1)); done
mount -t ext4 /dev/vda /root || exec poweroff -f
tar -x -f /dev/vdb -C /root || exec poweroff -f
for each in dev proc sys; do mount --move /$each /root/$each; done
exec switch_root /root /usr/bin/python3 -I /guest.py
"""


def test_packages() -> list[str]:
    """Return the packages that the tests need, as pyproject.toml lists them."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    return [name for key in ("cli", "test") for name in extras[key] if "[" not in name]


def precompile(folder: Path, below: Path) -> None:
    """Write the guest's bytecode: an emulated processor takes long for it. below: its root."""
    if sys.version_info[:2] != tuple(int(part) for part in PYTHON.split(".")):
        note(f"the lane runs on another Python than {PYTHON}: the guests compile, and take longer")
        return
    # Some of Debian's files are not for this version; no test imports those.
    arguments = ["-q", "-q", "-j", "2", "--invalidation-mode", "unchecked-hash"]
    compiled: list[str | Path] = [
        sys.executable,
        "-m",
        "compileall",
        *arguments,
        "-s",
        below,
        folder,
    ]
    subprocess.run(compiled, stdout=subprocess.DEVNULL, check=False)


def tree(cache: Cache, architecture: Architecture) -> Path:
    """Return a folder with `root`, the guest's files, and `disk`, an image of them."""
    packages = test_packages()

    def make(folder: Path) -> None:
        if os.geteuid() != 0:
            raise LaneError("making the guest's disk needs root: its files belong to root")
        root = folder / "root"
        debian_tree(root, architecture.name, PACKAGES)
        pip: list[str | Path] = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        pip += [f"--platform={each}" for each in architecture.pip_platforms]
        pip += ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"]
        fetch([*pip, "--target", root / SITE, *packages], what="fetching the tests' packages")
        precompile(root / "usr", below=root)
        for name in NOT_NEEDED:
            shutil.rmtree(root / name, ignore_errors=True)
        for name, text in ACCOUNTS.items():
            (root / name).write_text(text)
        for link, target in LINKS.items():
            (root / link).symlink_to(target)
        (root / "tests").mkdir()
        call(["truncate", "-s", DISK_SIZE, folder / "disk"], what="making the disk")
        # Without the features that an old kernel lacks, and without a journal, which is not needed.
        make_files: list[str | Path] = [
            "mke2fs",
            "-q",
            "-F",
            "-t",
            "ext2",
            "-d",
            root,
            folder / "disk",
        ]
        call(make_files, what="making the disk's file system")

    recipe = [RECIPE, SUITE, PACKAGES, packages, architecture.name, ACCOUNTS, LINKS]
    return cache.part(f"debian-{architecture.name}", recipe, make)


def kernel(cache: Cache, wanted: Kernel) -> Path:
    """Return a folder with `vmlinuz`, `initramfs` and `version`, the package's name."""

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            unpacked = Path(scratch, "kernel")
            first = Path(scratch, "first")
            programs = Packages(Path(scratch, "programs"), SUITE, wanted.architecture.name)
            programs.unpack("busybox-static", first)
            kernels = Packages(Path(scratch, "kernels"), wanted.suite, wanted.architecture.name)
            name = kernels.newest(wanted.pattern)
            kernels.unpack(name, unpacked)
            (image,) = unpacked.glob("boot/vmlinuz-*")
            shutil.copy(image, folder / "vmlinuz")
            version = image.name.partition("-")[2]
            (folder / "version").write_text(name)
            for each in ("proc", "sys", "dev", "root", "modules"):
                (first / each).mkdir()
            (first / "init").write_text(FIRST_PROGRAM)
            (first / "init").chmod(0o755)
            for number, module in enumerate(_modules(unpacked, version)):
                data = module.read_bytes()
                plain = lzma.decompress(data) if module.suffix == ".xz" else data
                (first / "modules" / f"{number:02}-{module.name.partition('.')[0]}.ko").write_bytes(
                    plain
                )
            pack = f"find . | cpio --quiet -o -H newc | gzip -1 > {folder}/initramfs"
            call(["sh", "-c", pack], what="packing the first files", cwd=first)

    recipe = [RECIPE, wanted.suite, wanted.pattern, MODULES, FIRST_PROGRAM]
    return cache.part(f"kernel-{wanted.name}", recipe, make)


def _modules(unpacked: Path, version: str) -> Iterator[Path]:
    """Yield the files of MODULES and of their dependencies, in the order of loading."""
    if not (unpacked / "lib").exists():
        (unpacked / "lib").symlink_to("usr/lib")  # the place in newer packages
    call(["depmod", "-b", unpacked, version], what="reading the modules' needs")
    seen = set()
    for name in MODULES:
        show: list[str | Path] = ["modprobe", "-d", unpacked, "-S", version, "--show-depends", name]
        for line in call(show, what=f"looking for the module {name}").splitlines():
            word, _, rest = line.partition(" ")
            path = Path(rest.split()[0])
            if word == "insmod" and path not in seen:
                seen.add(path)
                yield path
