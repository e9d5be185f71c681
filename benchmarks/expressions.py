"""What it costs to evaluate expressions by the judge, and in processes, beside doing it at once.

`python -m benchmarks.expressions` measures in turn, in one run, and prints events a second and the
median of the ratios of the rounds; then how much of its bound the dearest hostile body takes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Final

import orjson

from hookplane.evaluation.judge import Judge
from hookplane.evaluation.pool import EvaluationPool
from hookplane.evaluation.protocol import EvaluationRequest, Wanted
from hookplane.filters.cel import Program
from hookplane.filters.cost import cost
from hookplane.filters.event import EventView

BATCH: Final = 64
"""As many as a dispatcher filters at once."""
FILTERS: Final = {
    "event.body.amount > 10": (1_000, 10_000, 100_000),
    "event.body.items.exists(x, x.sku == 'abc')": (1_000, 10_000),
    "event.type.split('.')[0] == 'order'": (100,),
    "event.body.items.map(x, x.sku).size() > 0": (1_000, 10_000),
}
"""With sizes of bodies in bytes. The last one has no bound, so it never runs in the event loop."""
HOSTILE: Final = (
    b"[" + b",".join([b"[]"] * 3_000) + b"]",
    b"[" + b",".join([b"[]"] * 3_000) + b',"\\u0000"]',
    b"[" + b",".join([b"[]"] * 3_000) + b",NaN]",
    b'["\\ud83d"' + b",0" * 5_000 + b"]",
    b'[["\\u0000"' + b",0" * 5_000 + b"]," + b"[" * 300 + b"]" * 300 + b"]",
    b'{"s":"' + b"a" * 10_000 + b'","l":[' + b",".join([b"1"] * 5_000) + b"]}",
)

Work = Callable[[], Awaitable[None]]


def body_of(size: int) -> bytes:
    item = {"sku": "xyz", "name": "a thing that somebody bought", "price": 1299}
    items = [item] * max(size // len(orjson.dumps(item)), 1)
    return orjson.dumps({"amount": 12, "items": items})


def event(body: bytes) -> EventView:
    headers = (("content-type", "application/json"),)
    return EventView("evt_1", "order.created", "orders", "shop", 1_800_000_000_000, headers, body)


async def rate(work: Work, seconds: float) -> float:
    """Events a second."""
    began, done = time.perf_counter(), 0
    while (took := time.perf_counter() - began) < seconds:
        await work()
        done += BATCH
    return done / took


def ways(text: str, events: tuple[EventView, ...], pool: EvaluationPool) -> list[Work]:
    """At once, by the judge, and all in a process."""
    program = Program(text)
    judge = Judge(text, Wanted.BOOL, "shop", "shop/orders", pool)
    request = EvaluationRequest(text, Wanted.BOOL, events)

    async def at_once() -> None:
        for one in events:
            program.holds(one)
        await asyncio.sleep(0)

    async def judged() -> None:
        await judge.judge(events)

    async def elsewhere() -> None:
        await pool.evaluate("shop", "shop/orders", request)

    return [at_once, judged, elsewhere]


async def compare(pool: EvaluationPool, rounds: int, seconds: float) -> list[tuple[str, ...]]:
    rows = []
    for text, sizes in FILTERS.items():
        for size in sizes:
            works = ways(text, (event(body_of(size)),) * BATCH, pool)
            for work in works:
                await work()
            found = [[await rate(work, seconds) for work in works] for _ in range(rounds)]
            ratios = [statistics.median(x[n] / x[0] for x in found) for n in (1, 2)]
            before = statistics.median(x[0] for x in found)
            rows.append((text, f"{size:,}", f"{before:,.0f}", *(f"{x:.2f}" for x in ratios)))
    return rows


def share_of_bound(text: str) -> float:
    """The largest part of its bound that a hostile body took; the best of three times."""
    program = Program(text)
    bound = cost(program.serialized)
    if bound is None:
        return 0.0
    return max(
        min(_took(program, event(body)) for _ in range(3)) / bound.of(event(body).size)
        for body in HOSTILE
    )


def _took(program: Program, one: EventView) -> int:
    began = time.process_time_ns()
    with contextlib.suppress(ValueError):
        program.holds(one)
    return time.process_time_ns() - began


async def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.expressions", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="Of each way and round.")
    given = parser.parse_args()
    pool = EvaluationPool()
    try:
        rows = await compare(pool, given.rounds, given.seconds)
    finally:
        await pool.close()
    for row in [("filter", "bytes", "at once, 1/s", "by the judge", "in a process"), *rows]:
        print("| " + " | ".join(row) + " |")
    for text in FILTERS:
        print(f"{share_of_bound(text):.2f} of its bound: {text}")


if __name__ == "__main__":
    asyncio.run(main())
