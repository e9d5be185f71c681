"""Processes that a test starts: each with a log of its own, and none outlives the test."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PATIENCE: Final = 30.0


class Keeper:
    """Processes by name; their logs are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, arguments: Sequence[str | Path]) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [*self.prefix, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - nothing else of this process runs
            )

    @property
    def prefix(self) -> list[str]:
        """What stands before each command."""
        return []

    def has_ended(self, name: str) -> bool:
        return self._processes[name].poll() is not None

    def signal(self, name: str, sent: signal.Signals) -> None:
        os.kill(self.pid(name), sent)

    def kill(self, name: str) -> None:
        """At once, and for good unless it is started again."""
        if not self.has_ended(name):
            self.signal(name, signal.SIGKILL)
        self._processes.pop(name).wait()

    def kill_all(self) -> None:
        """The last first."""
        for name in reversed(list(self._processes)):
            self.kill(name)

    def wait_all(self) -> None:
        """For the end of all, which something else has brought about."""
        while self._processes:
            self._processes.popitem()[1].wait(_PATIENCE)

    def pid(self, name: str) -> int:
        """As this machine counts."""
        return self._processes[name].pid

    def log(self, name: str) -> str:
        """What it said."""
        return (self._folder / f"{name}.log").read_text(errors="replace")


class InsideKeeper(Keeper):
    """The same for processes inside of another's namespaces: all but those of users and cgroups."""

    def __init__(self, folder: Path, inside: int) -> None:
        """`inside`: pid of that process."""
        super().__init__(folder)
        self._inside = inside

    @property
    def prefix(self) -> list[str]:
        return ["nsenter", "-t", str(self._inside), "-m", "-n", "-p", "-u", "-i", "--"]

    def pid(self, name: str) -> int:
        """nsenter stands between us and the process."""
        outer = super().pid(name)
        children = Path(f"/proc/{outer}/task/{outer}/children")
        end = time.monotonic() + _PATIENCE
        while not (found := children.read_text().split()):
            assert time.monotonic() < end, f"{name} does not start"
            time.sleep(0.01)
        return int(found[0])

    def call(self, *arguments: str | Path, seconds: float = 120.0) -> str:
        """What a command prints that is waited for. Raises CalledProcessError."""
        done = subprocess.run(
            [*self.prefix, *map(str, arguments)],
            check=True,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        return done.stdout


def die_with_parent() -> None:
    """For `preexec_fn`."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
