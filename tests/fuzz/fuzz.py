"""Fuzz the readers of files in Python, and the core and the engines in C.

    python tests/fuzz/fuzz.py                        8 seconds for each kind, on all processors
    python tests/fuzz/fuzz.py --seconds 600 elf      ten minutes for one kind
    python tests/fuzz/fuzz.py --keep elf             then add files that cover more code

Files (elf, pe, npy, toml, journal) need atheris (Linux, CPython 3.11 to 3.13). The harnesses in C
(core, engine, wrapped) need clang with libFuzzer, Debian's libclang-rt. A kind of file fails for an
exception that the package does not document, a harness for an answer that is not its model's or a
sanitizer's report. Both fail for an input that takes longer than LONGEST, for more memory than
MOST_MEMORY, and for fewer than LEAST_NEW inputs beside the kept ones. The input is printed, and is
kept in .cache/fuzz until the kind is fuzzed again. Fix the package, and put the input into
tests/fuzz/corpus: the suite runs all files there (tests/unit/test_fuzz_corpus.py,
tests/c/test_c.py).
"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz.programs import PROGRAMS, build

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "fuzz"
FILES = ("elf", "pe", "npy", "toml", "journal")
KINDS = (*FILES, *PROGRAMS)
SECONDS = 8
LONGEST = 10  # seconds
LEAST_NEW = 20  # inputs beside the kept ones
MOST_MEMORY = 512  # MiB
MOST_BYTES = 8192  # of a file
#: Of a TOML file: memory that grows with the square of its length has to pass MOST_MEMORY.
MOST_BYTES_OF_TOML = 32768
MOST_CALLS = 512  # bytes of an input for a harness in C: some requests
#: The fuzzed modules. They are imported at once, so that all their branches are recorded.
PACKAGES = ("_symbols", "_patch", "_journal", "_transactions")


def run_here(kind: str, options: list[str]) -> None:
    """Run the fuzzer of one kind in this process; libFuzzer ends the process."""
    import pkgutil
    import resource

    import atheris  # type: ignore[import-untyped]

    limit = 8 * MOST_MEMORY << 20  # of address space: a refused allocation is an exception
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with atheris.instrument_imports(include=["pydbgwrite", "tomllib"]):
        for package in PACKAGES:
            module = importlib.import_module(f"pydbgwrite.{package}")
            for each in pkgutil.iter_modules(module.__path__, f"{module.__name__}."):
                importlib.import_module(each.name)
        targets = importlib.import_module("fuzz.targets")
    # libFuzzer restarts itself by a shell, under the name that it finds in its arguments.
    name = shlex.join([sys.executable, __file__, "--here", kind])
    atheris.Setup([name, *options], targets.TARGETS[kind])
    atheris.Fuzz()


def command(kind: str) -> list[str]:
    """Return the command that runs the fuzzer of a kind."""
    if kind in PROGRAMS:
        return [str(CACHE / "programs" / kind)]
    return [sys.executable, __file__, "--here", kind]


def run(program: list[str], options: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a fuzzer with files of its own.

    libFuzzer ends the process without Python's clean-up, so its files are removed here.
    """
    in_memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="pydbgwrite-fuzz-", dir=in_memory) as files:
        return subprocess.run(
            [*program, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "TMPDIR": files},
            check=False,
        )


def fuzz(kind: str, seconds: int) -> bool:
    """Fuzz one kind; print the findings."""
    grown, found = CACHE / kind / "corpus", CACHE / kind / "found"
    shutil.rmtree(found, ignore_errors=True)
    for each in (grown, found):
        each.mkdir(parents=True, exist_ok=True)
    most = MOST_CALLS if kind in PROGRAMS else MOST_BYTES_OF_TOML if kind == "toml" else MOST_BYTES
    options = [
        f"-timeout={LONGEST}",
        f"-rss_limit_mb={MOST_MEMORY}",
        f"-max_len={most}",
        f"-artifact_prefix={found}/",
        "-len_control=0",
        "-print_final_stats=1",
        "-verbosity=1",
        *map(str, (grown, HERE / "corpus" / kind)),
    ]
    started = time.monotonic()
    # The kept files alone can take all the time: then their number and some is the limit.
    for timed in (True, False):
        kept = sum(1 for folder in (grown, HERE / "corpus" / kind) for _ in folder.iterdir())
        least = kept + LEAST_NEW
        done = run(
            [*command(kind), f"-max_total_time={seconds}" if timed else f"-runs={least}"], options
        )
        lines = done.stdout.splitlines()
        units = (line.split()[-1] for line in lines if "number_of_executed_units" in line)
        runs = int(next(units, "0"))
        bad = sorted(found.iterdir())
        # The alarm for LONGEST can arrive while the process ends.
        ended = done.returncode == -signal.SIGALRM and any(
            line.startswith("Done ") for line in lines
        )
        whole = not bad and (done.returncode == 0 or ended)
        good = whole and runs >= least
        if good or not whole:
            break
    text = "no fault" if good else "too few" if whole else f"exit code {done.returncode}"
    took = time.monotonic() - started
    print(f"{kind}: {runs} inputs, of which {kept} were kept, in {took:.0f} s: {text}", flush=True)
    if good:
        return True
    print("\n".join(lines[-60:]))
    for file in bad:
        print(f"{file}, in Base64:\n{base64.b64encode(file.read_bytes()).decode()}")
    return False


def keep(kind: str) -> None:
    """Add the smallest files that cover more code to the corpus of the tree."""
    corpus = HERE / "corpus" / kind
    corpus.mkdir(parents=True, exist_ok=True)
    merge = [*command(kind), "-set_cover_merge=1", "-use_counters=0"]
    subprocess.run([*merge, str(corpus), str(CACHE / kind / "corpus")], check=True)


def positive(text: str) -> int:
    """Return a number of seconds; libFuzzer takes 0 for no limit."""
    if (number := int(text)) < 1:
        raise ValueError
    return number


def main() -> int:
    """Run the command line; return its exit code."""
    if sys.argv[1:2] == ["--here"]:
        run_here(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--seconds", type=positive, default=SECONDS, help="for each kind")
    parser.add_argument("--keep", action="store_true", help="then add to tests/fuzz/corpus")
    options = parser.parse_args()
    kinds = options.kinds or list(KINDS)
    if unknown := set(kinds) - set(KINDS):
        parser.error(f"there is no kind {', '.join(sorted(unknown))}")
    if set(kinds) & set(FILES) and importlib.util.find_spec("atheris") is None:
        install = "python -m pip install --group fuzz (pip 25.1 or later, CPython 3.11 to 3.13)"
        parser.error(f"{', '.join(FILES)} need atheris: {install}")
    for kind in kinds:
        if not any((HERE / "corpus" / kind).glob("*")):
            parser.error(f"tests/fuzz/corpus/{kind} has no files; seeds.py writes the first ones")
    processors = len(os.sched_getaffinity(0))
    if in_c := [kind for kind in kinds if kind in PROGRAMS]:
        build(in_c, CACHE / "programs", processors)
    with ThreadPoolExecutor(processors) as pool:
        good = all(list(pool.map(lambda kind: fuzz(kind, options.seconds), kinds)))
    if options.keep:
        for kind in kinds:
            keep(kind)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
