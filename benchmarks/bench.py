"""What every scenario works with: places for programs, and how much is asked of them."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, Self

import orjson

from benchmarks.machine import Placement, Usage
from benchmarks.manifests import Manifest, secret
from benchmarks.program import Program
from benchmarks.rows import overworked
from benchmarks.system import System
from benchmarks.targets import Targets

PATIENCE: Final = 60.0
"""Seconds for a backlog to be delivered."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long and how often."""

    rounds: int
    """Of A and B in turn."""
    seconds: float
    """Of one load."""
    deliveries: int
    """Of one drained backlog."""
    tries: int
    """Of a search for the highest rate."""
    sparse: int
    """Events sent at 10 a second."""


class Engine(Protocol):
    """Hookplane on one store or another, as the scenarios use it."""

    def __init__(self, folder: Path, cores: frozenset[int], **options: Any) -> None: ...

    def apply(self, name: str, *manifests: Manifest) -> None: ...

    def remove(self, name: str) -> None: ...

    def start(self) -> Self: ...

    def endpoint(self, name: str) -> str: ...

    def usage(self) -> Usage: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


QUICK: Final = Effort(rounds=1, seconds=1.5, deliveries=6_000, tries=4, sparse=40)
FULL: Final = Effort(rounds=3, seconds=6, deliveries=30_000, tries=6, sparse=150)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the generator says of one run."""

    sent: int
    accepted: int
    seconds: float
    rate: float
    """Accepted a second."""
    share: float
    """Of a core that the generator used itself."""
    p50: float
    p99: float
    """Milliseconds from when a request was due to its 2xx."""
    log: dict[str, Any]
    """Columns, see `Log`; empty unless asked for."""

    @property
    def void(self) -> str:
        return overworked(generator=self.share)


class Bench:
    """One run of the benchmarks. Its folder is removed at the end."""

    def __init__(
        self, work: Path | None, placement: Placement, effort: Effort, engine: type[Engine] = System
    ) -> None:
        """`engine`: what `system` starts."""
        self._engine = engine
        self.folder = Path(tempfile.mkdtemp(prefix="hookplane-bench-", dir=work))
        self.placement = placement
        self.effort = effort
        self._number = 0

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def targets(self, count: int = 1) -> Targets:
        return Targets(count, self.placement.measuring)

    def bar(self, module: str, *arguments: str) -> Program:
        """A bare bar, in the place of what is measured."""
        return Program(f"benchmarks.bars.{module}", *arguments, cores=self.placement.measured)

    @contextmanager
    def system(self, *manifests: Manifest, **options: Any) -> Iterator[Engine]:
        """A new one with these objects and the Secret of all."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            with self._engine(folder, self.placement.measured, **options) as system:
                system.apply("base", secret(), *manifests)
                yield system.start()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def load(
        self, url: str, count: int, *, rate: float = 0.0, seconds: float = 30.0, log: bool = False
    ) -> Loaded:
        """Sends so many events, each with a number of its own. `rate` 0: closed loop of 64."""
        file = self.folder / "log.json"
        options = ["--url", url, "--count", str(count), "--first", str(self._take(count))]
        options += ["--rate", str(rate), "--seconds", str(seconds)]
        options += ["--connections", "256" if rate else "64"]
        options += ["--log", str(file)] if log else []
        with Program("benchmarks.loadgen", *options, cores=self.placement.measuring) as program:
            program.listen()
            said = program.listen()
        return _loaded(said, file if log else None)

    @contextmanager
    def loading(self, url: str, rate: float, size: int, seconds: float) -> Iterator[None]:
        """Meanwhile so many events a second, of so many bytes, come from somebody else; for so many
        seconds at most."""
        count = int(rate * seconds)
        options = ["--url", url, "--count", str(count), "--first", str(self._take(count))]
        options += ["--rate", str(rate), "--size", str(size), "--connections", "256"]
        with Program("benchmarks.loadgen", *options, cores=self.placement.measuring) as program:
            program.listen()
            yield

    def _take(self, count: int) -> int:
        first, self._number = self._number, self._number + count
        return first


def _loaded(said: dict[str, Any], file: Path | None) -> Loaded:
    log: dict[str, Any] = orjson.loads(file.read_bytes()) if file is not None else {}
    return Loaded(
        sent=said["sent"],
        accepted=said["accepted"],
        seconds=said["seconds"],
        rate=said["rate"],
        share=said["cpu"],
        p50=said["p50_ms"],
        p99=said["p99_ms"],
        log=log,
    )


def tell(message: str) -> None:
    """Progress."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {message}\n")
    sys.stderr.flush()
