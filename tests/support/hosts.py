"""Machines for tests: each is a network and a pid namespace, on a bridge that only they reach.

The namespaces have no names, so they end with their processes, whatever becomes of the test. The
bridge and the Dask scheduler have a network of their own too: nothing of this machine's is touched.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from support.fleet import Fleet

if TYPE_CHECKING:
    from typing import Self

__all__ = ["SCHEDULER", "Coordinator", "Hosts"]

PART = Path(__file__).with_name("dask_part.py")
_NETWORK = "10.77.0"
SCHEDULER = f"{_NETWORK}.1"
#: How long the end of a process is waited for, in seconds.
_PATIENCE = 60


class Part:
    """A process that runs dask_part.py, and says "ready"."""

    def __init__(self, under: list[str], state: Path, *words: object) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(PART.parent.parent),
            "XDG_STATE_HOME": str(state),
        }
        with (state / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*under, sys.executable, str(PART), *map(str, words)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                text=True,
            )

    def hear(self) -> str:
        """Return its next line; "" if it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def wait_ready(self) -> Self:
        """Wait until it is ready."""
        assert self.hear() == "ready", "a part of the cluster has not begun; its log says why"
        return self

    def kill(self) -> None:
        """End it by SIGKILL. Of a process in another pid namespace, nsenter is the parent."""
        if self.process.returncode is not None:
            return
        pid = self.process.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            children = []
        for each in (*map(int, children), pid):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """Wait for its end."""
        self.process.communicate(timeout=_PATIENCE)


class Coordinator(Part):
    """A coordinator, which begins when begin() is called."""

    def begin(self) -> None:
        """Let it begin, or go on after a check."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def report(self) -> dict[str, Any] | None:
        """Wait for its end, and return its report; None if it has none."""
        text, _ = self.process.communicate(timeout=_PATIENCE)
        lines = [line for line in text.splitlines() if line.startswith("{")]
        return dict(json.loads(lines[-1])) if lines else None


class Host:
    """A machine with a fleet, and a Dask worker."""

    def __init__(self, hosts: Hosts, number: int, program: Path, count: int) -> None:
        self._hosts = hosts
        self.name = f"{_NETWORK}.{number}"
        self.state = hosts.folder / f"state-{number}"
        self.state.mkdir()
        self.link = f"link{number}"
        new = ("--net", "--pid", "--mount-proc", "--fork", "--kill-child")
        self.fleet = Fleet(program, count - 1, under=["unshare", *new])
        own = f"/proc/{self.fleet.pid}/ns"
        self._net = ["nsenter", f"--net={own}/net"]
        self.inside = [*self._net, f"--mount={own}/mnt", f"--pid={own}/pid_for_children"]
        peer = ("peer", "name", "eth0", "netns", str(self.fleet.pid))
        hosts.ip("link", "add", self.link, "type", "veth", *peer)
        hosts.ip("link", "set", self.link, "master", "bridge", "up")
        for words in ("link set lo up", "link set eth0 up", f"addr add {self.name}/24 dev eth0"):
            subprocess.run([*self._net, "ip", *words.split()], check=True)
        self.worker: Part | None = None

    def start_worker(self) -> Part:
        """Start its worker, which is not ready yet."""
        arguments = ("worker", self.name, self._hosts.folder, SCHEDULER)
        self.worker = self._hosts.part(self.inside, self.state, *arguments)
        return self.worker

    def cut_off(self) -> None:
        """Let nothing pass between it and the others."""
        self._hosts.ip("link", "set", self.link, "down")

    def join(self) -> None:
        """End that."""
        self._hosts.ip("link", "set", self.link, "up")

    def held(self) -> dict[int, str]:
        """Return what each process of the fleet says that it holds, by its pid there."""
        pids = [*self.fleet.pids, 1]
        return {pid: self.fleet.held(at) for at, pid in enumerate(pids)}


class Hosts:
    """So many machines with as many processes each, and a scheduler; ended with its block."""

    def __init__(self, folder: Path, program: Path, machines: int, processes: int) -> None:
        self.folder = folder
        self.program = program
        self._sizes = machines, processes
        self.scheduler: Part | None = None
        self.hosts: list[Host] = []
        self._stack = ExitStack()
        self._parts: list[Part] = []

    def part(self, under: list[str], state: Path, *words: object) -> Part:
        """Start a part that ends with the block at the latest."""
        made = Part(under, state, *words)
        self._parts.append(made)
        return made

    def ip(self, *words: str) -> None:
        """Run ip in the network of the bridge."""
        subprocess.run([*self._network, "ip", *words], check=True)

    def start(self) -> None:
        """Start what does not run: scheduler, then workers."""
        if self.scheduler is None or self.scheduler.process.poll() is not None:
            arguments = ("scheduler", SCHEDULER, self.folder)
            self.scheduler = self.part(self._network, self._state, *arguments)
            self.scheduler.wait_ready()
        new = [
            host.start_worker()
            for host in self.hosts
            if host.worker is None or host.worker.process.poll() is not None
        ]
        for each in new:
            each.wait_ready()

    def kill_scheduler(self) -> None:
        """Kill the scheduler. Dask's workers end then; that is waited for."""
        assert self.scheduler is not None
        self.scheduler.kill()
        for host in self.hosts:
            assert host.worker is not None
            host.worker.close()

    def coordinator(self, action: str, ledger: Path, **words: object) -> Coordinator:
        """Start a coordinator; it is ready to begin."""
        given = {
            "scheduler": SCHEDULER,
            "folder": str(self.folder),
            "hosts": [host.name for host in self.hosts],
            "program": str(self.program),
            "ledger": str(ledger),
            **words,
        }
        made = Coordinator(self._network, self._state, action, json.dumps(given))
        self._parts.append(made)
        return made.wait_ready()

    def run(self, action: str, ledger: Path, **words: object) -> dict[str, Any]:
        """Run a coordinator to its end; return its report."""
        coordinator = self.coordinator(action, ledger, **words)
        coordinator.begin()
        report = coordinator.report()
        assert report is not None
        return report

    def held(self) -> dict[tuple[str, int], str]:
        """Return what each process says that it holds, by machine and pid."""
        return {(host.name, pid): had for host in self.hosts for pid, had in host.held().items()}

    def __enter__(self) -> Self:
        key, certificate = self.folder / "key.pem", self.folder / "cert.pem"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30"
        names = ["-subj", "/CN=hosts", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run([*command.split(), *names], check=True, stderr=subprocess.DEVNULL)
        self._state = self.folder / "state"
        self._state.mkdir()
        with self._stack:
            keeper = self._stack.enter_context(
                subprocess.Popen(
                    ["unshare", "--net", "--kill-child", "sh", "-c", "echo ready; cat"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            assert keeper.stdout is not None and keeper.stdout.readline() == b"ready\n"
            self._network = ["nsenter", f"--net=/proc/{keeper.pid}/ns/net"]
            self.ip("link", "set", "lo", "up")
            self.ip("link", "add", "bridge", "type", "bridge")
            self.ip("addr", "add", f"{SCHEDULER}/24", "dev", "bridge")
            self.ip("link", "set", "bridge", "up")
            machines, processes = self._sizes
            for number in range(2, 2 + machines):
                host = Host(self, number, self.program, processes)
                self.hosts.append(host)
                self._stack.enter_context(host.fleet)
            self._stack.callback(self._end_parts)
            self.start()
            self._stack = self._stack.pop_all()
        return self

    def _end_parts(self) -> None:
        for part in self._parts:
            part.kill()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
