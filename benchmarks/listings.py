"""What each page of a listing and of a replay costs a PostgreSQL with many partitions.

`python -m benchmarks.listings --events 2000000 --dsn …` fills an empty database and prints for
each page, as EXPLAIN (ANALYZE, BUFFERS) has it: time in the database, buffers that it touched, rows
that it read, and partitions in which it looked.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from hookplane.clock import SystemClock
from hookplane.ids import event_id
from hookplane.secret import Secret
from hookplane.store import listings
from hookplane.store.access import StoreAccess
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow, CursorPlan
from hookplane.store.delivery_store import DeliveryState, NewReplay
from hookplane.store.listings import Steps
from hookplane.store.postgres.connection import Purpose
from hookplane.store.postgres.db import Db
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.postgres.migrate import bring_up_to_date
from hookplane.store.queries import ANY_EVENT, Page, Sought
from hookplane.store.rows import FOR_EVER
from hookplane.store.sql import load_statements

PARTITIONS: Final = 28
FIRST: Final = 1 << 40
"""The number before the first event of the first endpoint."""
DEAD_EACH: Final = 20
"""Of so many events one is dead for the first subscription; its other ones are delivered."""
CHUNK: Final = 100_000

STATEMENTS: Final = {
    **load_statements("hookplane.store.postgres", "queries.sql"),
    **load_statements("hookplane.store.postgres", "replay.sql"),
}
ALL: Final = frozenset(DeliveryState)
_FILL_EVENTS: Final = """
insert into event (era, number, event_id, received, type, size, headers, body)
select current_era() + ((g - 1) * $3::bigint / $4::bigint), $5::bigint + g,
  $6 || lpad(g::text, 13, '0'), $7::bigint + g, 'order.created', 2, '[]'::bytea, '{}'::bytea
from generate_series($1::bigint, $2::bigint) g
"""
_FILL_ATTEMPTS: Final = """
insert into attempt (
  era, subscription, event, event_id, at, number, duration, success, status_code, error, answer,
  replay
)
select e.era, 1, e.number, e.event_id, e.received, 1, 5, e.number % $3 <> 0, 200, '', ''::bytea, ''
from event e where e.number > $1 and e.number <= $2
"""
_FILL_ROWS: Final = """
insert into delivery
select 1, e.number, e.event_id, e.type, 'dead', 9, 0, 0, 500, 'failed', '', e.received
from event e where e.number > $1 and e.number <= $2 and e.number % $3 = 0
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one statement, or of all of a page."""

    statement: str
    milliseconds: float
    buffers: int
    partitions: int
    rows: int
    plan: str


async def fill(store: PostgresStore, number: int) -> None:
    """One endpoint with so many events in 28 partitions, all passed by two subscriptions: of the
    first some are dead and the others delivered, of the second all are filtered."""
    await _configure(store)
    now = SystemClock().now()
    prefix = event_id(now)[:17]
    async with store.connections.use(Purpose.OTHER) as db:
        await db.execute("set statement_timeout = 0; set lock_timeout = 0")
        await db.fetchval("select make_partitions_1($1)", PARTITIONS - 1)
        for start in range(1, number + 1, CHUNK):
            end = min(start + CHUNK - 1, number)
            place = (PARTITIONS, number, FIRST, prefix, now)
            await db.execute(_FILL_EVENTS, start, end, *place, timeout=600)
            below, upto = FIRST + start - 1, FIRST + end
            await db.execute(_FILL_ATTEMPTS, below, upto, DEAD_EACH, timeout=600)
            await db.execute(_FILL_ROWS, below, upto, DEAD_EACH, timeout=600)
        head = FIRST + number
        await db.execute("update endpoint set head = $1, era = current_era() + 27", head)
        await db.execute("update cursor set position = $1", head)
        await db.execute("vacuum analyze", timeout=600)


async def _configure(store: PostgresStore) -> None:
    row = ConfigRow(ConfigKind.ENDPOINT, "e", b"{}")
    await store.apply_config(ConfigChange(upserts=(row,)))
    for uid in ("tried", "filtered"):
        row = ConfigRow(ConfigKind.SUBSCRIPTION, uid, b"{}")
        plan = CursorPlan(uid, ("e",), "Latest")
        await store.apply_config(ConfigChange(upserts=(row,), cursors=(plan,)))


async def add_replay(store: PostgresStore, uid: str, subscription: str, **changes: Any) -> int:
    """A replay of all that there is; its number."""
    await store.create_replay(NewReplay(uid, "default", uid, subscription, 0, **changes))
    async with store.connections.use(Purpose.OTHER) as db:
        number: int = await db.fetchval("select replay from replay where uid = $1", uid)
        return number


def pages(older: str, dead: int, delivered: int) -> Iterator[tuple[str, Steps[Any]]]:
    """What people, tools and dispatchers ask for. `dead`, `delivered`: numbers of replays."""
    first, later = Page(), Page(before=older)
    yield "events", listings.events(first, None, ANY_EVENT)
    yield "events, older", listings.events(later, None, ANY_EVENT)
    yield "events of an endpoint, older", listings.events(later, 1, ANY_EVENT)
    yield "events of a type that is not there", listings.events(first, 1, Sought("none"))
    yield "deliveries", listings.deliveries(first, 1, ALL)
    yield "deliveries, older", listings.deliveries(later, 1, ALL)
    yield "deliveries, dead, older", listings.deliveries(later, 1, _only(DeliveryState.DEAD))
    yield "deliveries, retrying: none", listings.deliveries(first, 1, _only(DeliveryState.RETRYING))
    yield "deliveries, filtered: none", listings.deliveries(later, 1, _only(DeliveryState.FILTERED))
    yield (
        "deliveries, delivered: none",
        listings.deliveries(later, 2, _only(DeliveryState.DELIVERED)),
    )
    yield "attempts, older", listings.attempts(later, None, None)
    yield "attempts of a subscription: none", listings.attempts(later, [2], None)
    yield "attempts of an event", listings.attempts(first, None, older)
    yield "replay, dead", _replay(dead, 1, DeliveryState.DEAD)
    yield "replay, delivered", _replay(delivered, 1, DeliveryState.DELIVERED)
    yield "replay, retrying: none", _replay(dead, 1, DeliveryState.RETRYING)
    yield "replay, filtered: none", _replay(delivered, 1, DeliveryState.FILTERED)
    yield (
        "replay, out of its time",
        _replay(delivered, 1, DeliveryState.DELIVERED, since=FOR_EVER - 1),
    )


def _only(state: DeliveryState) -> frozenset[DeliveryState]:
    return frozenset({state})


def _replay(replay: int, subscription: int, state: DeliveryState, since: int = 0) -> Steps[Any]:
    return listings.candidates(replay, subscription, 0, (since, FOR_EVER), [state], 8)


async def explained(db: Db, steps: Steps[Any]) -> list[Cost]:
    """Runs the steps of a page and gives what each of them cost."""
    costs: list[Cost] = []
    try:
        ask = next(steps)
        while True:
            sql = STATEMENTS[ask.statement]
            said = await db.fetchval(
                f"explain (analyze, buffers, format json) {sql}", *ask.arguments
            )
            (plan,) = orjson.loads(said)
            costs.append(_cost(ask.statement, plan))
            ask = steps.send([tuple(row) for row in await db.fetch(sql, *ask.arguments)])
    except StopIteration:
        return costs


def _cost(statement: str, plan: dict[str, Any]) -> Cost:
    top = plan["Plan"]
    nodes = list(_nodes(top))
    scanned = [x for x in nodes if "Relation Name" in x and x["Actual Loops"]]
    partitions = {x["Relation Name"] for x in scanned}
    return Cost(
        statement,
        plan["Planning Time"] + plan["Execution Time"],
        top["Shared Hit Blocks"] + top["Shared Read Blocks"],
        sum(name.startswith(("event_", "attempt_")) for name in partitions),
        sum(map(_read, scanned)),
        " < ".join(dict.fromkeys(map(_said, nodes))),
    )


def _read(node: dict[str, Any]) -> int:
    """Rows that a scan read, whether they were wanted or not."""
    each: float = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return round(each * float(node["Actual Loops"]))


def _said(node: dict[str, Any]) -> str:
    """A scan of a whole table says of which; every partition is one of its table."""
    table = str(node.get("Relation Name", "")).partition("_")[0]
    kind = str(node["Node Type"])
    return f"{kind} of {table}" if kind == "Seq Scan" else kind


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for part in node.get("Plans", ()):
        yield from _nodes(part)


async def measure(dsn: str, number: int, *, full_plans: bool) -> None:
    """Fills the database unless that was done, and prints a line for each page."""
    settings = StoreAccess(Secret(dsn.encode()), application="benchmark")
    await bring_up_to_date(settings)
    store = await PostgresStore.open(settings, SystemClock())
    try:
        async with store.connections.use(Purpose.OTHER) as db:
            is_filled = await db.fetchval("select exists (select 1 from event)")
        if not is_filled:
            await fill(store, number)
        dead = await add_replay(store, "dead", "tried")
        states = frozenset({DeliveryState.DELIVERED})
        delivered = await add_replay(store, "delivered", "tried", states=states)
        async with store.connections.use(Purpose.OTHER) as db:
            older = await db.fetchval(
                "select event_id from event where number = $1", FIRST + number // 2
            )
            print(f"{'page':<38}{'ms':>8}{'buffers':>9}{'rows':>8}{'partitions':>12}")
            for name, steps in pages(older, dead, delivered):
                _show(name, await explained(db, steps), full_plans=full_plans)
    finally:
        await store.close()


def _show(name: str, costs: list[Cost], *, full_plans: bool) -> None:
    totals = [sum(getattr(x, y) for x in costs) for y in ("milliseconds", "buffers", "rows")]
    most = max(x.partitions for x in costs)
    print(f"{name:<38}{totals[0]:>8.1f}{totals[1]:>9,}{totals[2]:>8,}{most:>12}")
    for cost in costs if full_plans else ():
        print(f"    {cost.statement}: {cost.milliseconds:.1f} ms: {cost.plan}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.listings", description=__doc__)
    parser.add_argument("--dsn", required=True, help="an empty database, or one filled before")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--plans", action="store_true", help="the nodes of each plan as well")
    given = parser.parse_args()
    asyncio.run(measure(given.dsn, given.events, full_plans=given.plans))


if __name__ == "__main__":
    main()
