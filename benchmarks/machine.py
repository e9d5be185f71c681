"""What the kernel says about processes, and where they may run."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_KB: Final = 1024


class Placement(StrEnum):
    """Which cores the measured program and the measuring programs get."""

    SPLIT = "split"
    """The measured program has the first core for itself."""
    TOGETHER = "together"
    """All programs share all cores."""

    @property
    def measured(self) -> frozenset[int]:
        return self._cores(0)

    @property
    def measuring(self) -> frozenset[int]:
        return self._cores(1)

    def _cores(self, place: int) -> frozenset[int]:
        cores = sorted(os.sched_getaffinity(0))
        if self is Placement.TOGETHER or len(cores) <= place:
            return frozenset(cores)
        return frozenset({cores[place]})


@contextmanager
def on_cores(cores: frozenset[int]) -> Iterator[None]:
    """Processes started inside inherit these cores, with all their threads to come."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True)
class Usage:
    """proc(5): /proc/PID/stat and /proc/PID/status."""

    cpu: float
    """Seconds of all threads, user and system."""
    resident: int
    """Bytes."""
    most_resident: int
    """Bytes, the most so far."""


def usage(pid: int) -> Usage:
    """Raises OSError when the process is gone."""
    folder = Path("/proc") / str(pid)
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    status = dict(
        line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line
    )
    return Usage(
        cpu=(int(fields[11]) + int(fields[12])) / _TICKS,
        resident=_bytes(status["VmRSS"]),
        most_resident=_bytes(status["VmHWM"]),
    )


def _bytes(text: str) -> int:
    return int(text.split(maxsplit=1)[0]) * _KB


def allow_many_files() -> None:
    """As many as this user may have open: a hundred targets have many connections each. Programs
    started afterwards inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def file_system(folder: Path) -> str:
    """Its type, such as ext4; on tmpfs an fdatasync costs nothing and figures mean nothing."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    parents = {str(folder.resolve()), *map(str, folder.resolve().parents)}
    found = [(len(fields[1]), fields[2]) for fields in mounts if fields[1] in parents]
    return max(found, default=(0, "unknown"))[1]
