"""The load generator, a program of its own: `python -m benchmarks.loadgen --help`.

It prints a line of JSON when it begins and one when it is done; closing its standard input, where
that is a pipe, ends it early.
"""

from __future__ import annotations

import asyncio
import gc
import os
import stat
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click
import orjson
import uvloop

from benchmarks.histogram import Histogram
from benchmarks.load import Load, Log, closed_loop, open_loop
from benchmarks.payload import LEAST, SIZE, signed_requests

LATE_SECONDS: Final = 10.0
"""How long answers are waited for when nothing more is sent."""
_START_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Settings:
    """What is sent where, and how."""

    url: str
    count: int
    first: int
    size: int
    rate: float
    seconds: float
    connections: int


@click.command()
@click.option("--url", required=True)
@click.option("--count", type=click.IntRange(1, 2_000_000), required=True, help="Requests.")
@click.option("--first", type=int, default=0, help="Number of the first one; they must differ.")
@click.option("--size", type=click.IntRange(LEAST, 1 << 20), default=SIZE, help="Bytes of a body.")
@click.option("--rate", type=float, default=0.0, help="Requests a second; 0: closed loop.")
@click.option("--seconds", type=float, default=30.0, help="A closed loop ends after this.")
@click.option("--connections", type=click.IntRange(1, 4096), default=64, help="At most.")
@click.option("--log", type=click.Path(path_type=Path), help="File for the times of each request.")
def main(log: Path | None, **given: Any) -> None:
    """Send signed events and measure the answers."""
    settings = Settings(**given)
    numbers = range(settings.first, settings.first + settings.count)
    requests = signed_requests(settings.url, numbers, settings.size, time.time(), settings.rate)
    gc.freeze()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        written, result = runner.run(_run(settings, requests))
    if log is not None:
        columns = {name: getattr(written, name).tolist() for name in Log.COLUMNS}
        log.write_bytes(orjson.dumps({"first": settings.first, **columns}))
    _say(result)


async def _run(settings: Settings, requests: Sequence[bytes]) -> tuple[Log, dict[str, Any]]:
    parts = urlsplit(settings.url)
    load = Load((parts.hostname or "", parts.port or 80), requests, settings.connections)
    stopped = _stopped_by_input()
    begin = time.monotonic_ns() + int(_START_SECONDS * 1e9)
    _say({"begin": begin})
    cpu = time.process_time()
    if settings.rate:
        await open_loop(load, begin, settings.rate, stopped)
    else:
        await closed_loop(load, settings.seconds, stopped)
    await _settled(load)
    spent = time.process_time() - cpu
    return load.log, _result(load.log, begin, spent)


def _stopped_by_input() -> asyncio.Event:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def look() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            stopped.set()

    if stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
        loop.add_reader(sys.stdin.fileno(), look)
    return stopped


async def _settled(load: Load) -> None:
    """Waits for answers; what has none after LATE_SECONDS stays BROKEN."""
    if load.under_way:
        waiting = asyncio.ensure_future(load.quiet.wait())
        await asyncio.wait([waiting], timeout=LATE_SECONDS)
        waiting.cancel()


def _result(log: Log, begin: int, cpu: float) -> dict[str, Any]:
    sent = [place for place, at in enumerate(log.sent) if at]
    good = [place for place in sent if 200 <= log.status[place] < 300]
    begin = min((log.due[place] for place in sent), default=begin)
    end = max(max(log.answered, default=0), begin + 1)
    times = Histogram(log.answered[place] - log.due[place] for place in good)
    statuses = Counter(log.status[place] for place in sent)
    seconds = (end - begin) / 1e9
    return {
        "sent": len(sent),
        "accepted": len(good),
        "statuses": {str(status): times for status, times in sorted(statuses.items())},
        "seconds": seconds,
        "rate": len(good) / seconds,
        "cpu": cpu / seconds,
        "p50_ms": times.quantile(0.5) / 1e6,
        "p99_ms": times.quantile(0.99) / 1e6,
        "max_ms": times.greatest / 1e6,
    }


def _say(line: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
