"""The bare bars, measured beside what they are bars for."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.bars.disk import fdatasync_rate
from benchmarks.bench import Bench
from benchmarks.machine import usage
from benchmarks.rows import Figure, Row, overworked

SERVER = "bare aiohttp server"
CLIENT = "bare aiohttp client"
_SERVER_RATE = 30_000
_CLIENT_RATE = 10_000
"""More than this a second is not expected of either: it bounds how much is prepared."""
_LEAST_SHARE = 0.85
"""Of a core: the bars always have something to do."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Operations a second, and CPU for each."""

    rate: Figure
    micros: Figure


def server(bench: Bench) -> Bar:
    """Requests that aiohttp answers without doing anything."""
    seconds = bench.effort.seconds
    with bench.bar("hello") as program:
        url = program.listen()["url"]
        before = usage(program.pid).cpu
        loaded = bench.load(url, int(_SERVER_RATE * seconds), seconds=seconds)
        cpu = usage(program.pid).cpu - before
    micros = cpu / max(loaded.accepted, 1) * 1e6
    return _bar(loaded.rate, micros, loaded.void)


def client(bench: Bench) -> Bar:
    """Signed POSTs that aiohttp makes without anything to read, filter or write down."""
    count = int(_CLIENT_RATE * bench.effort.seconds)
    with bench.targets() as targets:
        targets.begin()
        with bench.bar("client", targets.urls[0], str(count)) as program:
            said = program.listen()
        void = overworked(sink=targets.cpu() / said["seconds"])
    return _bar(said["rate"], said["cpu_us"], void)


def _bar(rate: float, micros: float, void: str) -> Bar:
    """A bar that did not get its core measures what else ran there."""
    share = rate * micros / 1e6
    if not void and share < _LEAST_SHARE:
        void = f"other programs left it {share:.0%} of a core"
    return Bar(Figure(rate, void), Figure(micros))


def run(bench: Bench) -> list[Row]:
    """All of them, at the begin and at the end of a run: what lies between is drift."""
    out, back = client(bench), server(bench)
    disk = Figure(fdatasync_rate(bench.folder, bench.effort.seconds / 2))
    return [
        Row(SERVER, "/s", (back.rate,)),
        Row(f"{SERVER}, CPU", "µs each", (back.micros,)),
        Row(CLIENT, "/s", (out.rate,)),
        Row(f"{CLIENT}, CPU", "µs each", (out.micros,)),
        Row("fdatasync of 4 KB", "/s", (disk,)),
    ]
