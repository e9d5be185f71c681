"""The sink program from outside."""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson

from benchmarks.program import Program


@dataclass(frozen=True, slots=True)
class Taken:
    """What came in to some targets and was answered 2xx."""

    count: int
    seconds: float
    """From the first to the last."""
    rate: float
    """A second, in the steady part; see `Arrivals.steady`."""


class Targets(AbstractContextManager["Targets"]):
    """So many subscribers, each on a port of its own."""

    def __init__(self, count: int, cores: frozenset[int]) -> None:
        self._program = Program("benchmarks.sink", "--ports", str(count), cores=cores)
        self.urls: list[str] = self._program.listen()["urls"]
        self._cpu = self._began = 0.0

    def behave(self, target: int, mode: str) -> None:
        self._program.ask(do="behave", target=target, mode=mode)

    def begin(self) -> None:
        """Forgets all arrivals and starts to count its own work."""
        self._program.ask(do="reset")
        self._cpu = self._program.ask(do="cpu")["cpu"]
        self._began = time.monotonic()

    def wait(self, count: int, seconds: float) -> bool:
        """Whether so many were taken since `begin`."""
        good: int = self._program.ask(do="wait", count=count, seconds=seconds)["good"]
        return good >= count

    def cpu(self) -> float:
        """Seconds since `begin`."""
        spent: float = self._program.ask(do="cpu")["cpu"] - self._cpu
        return spent

    def share(self) -> float:
        """Of a core, since `begin`."""
        return self.cpu() / (time.monotonic() - self._began)

    def taken(self, targets: Collection[int]) -> Taken:
        said = self._program.ask(do="steady", targets=list(targets))
        rate = said["steady_count"] / max(said["steady_nanoseconds"], 1) * 1e9
        return Taken(said["count"], said["nanoseconds"] / 1e9, rate)

    def arrivals(self, folder: Path) -> dict[str, list[Any]]:
        """Columns, see `Arrivals`."""
        file = folder / "arrivals.json"
        self._program.ask(do="dump", file=str(file))
        columns: dict[str, list[Any]] = orjson.loads(file.read_bytes())
        file.unlink()
        return columns

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._program.end()
