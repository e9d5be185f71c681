"""Owners of subscriptions: taking one over, and writing its progress."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from hookplane.clock import Millis
from hookplane.errors import LeaseLost, OwnedElsewhere, StaleOwner, UnknownObject
from hookplane.store.counted_once import Seen, numbers_of, without_expired
from hookplane.store.delivery_store import (
    Asked,
    Claimed,
    Delivery,
    EventKey,
    Flush,
    NotPassed,
    Passage,
    ReplayProgress,
    Rest,
    StrandedPage,
)
from hookplane.store.event_log import LogId
from hookplane.store.event_numbers import event_number, sequence_of
from hookplane.store.flush_columns import attempt_columns, counter_columns, delivery_columns
from hookplane.store.packed_health import pack_state, unpack_state
from hookplane.store.postgres.db import Db
from hookplane.store.postgres.id_map import PostgresIdMap
from hookplane.store.rows import asked_of, delivery_of, key_place, stranded_of, waiting_of
from hookplane.store.sql import load_statements

_SQL: Final = load_statements("hookplane.store.postgres", "flush.sql")
_CURSOR_COLUMNS: Final = 3
_REMOVE_COLUMNS: Final = 2
_DELIVERY_COLUMNS: Final = 12
_ATTEMPT_COLUMNS: Final = 11


async def claim(db: Db, id_map: PostgresIdMap, uid: str, process: int | None, most: int) -> Claimed:
    """Raises the epoch and reads what the new owner starts from. Raises UnknownObject, LeaseLost,
    OwnedElsewhere."""
    async with db.transaction():
        subscription = await _admitted(db, uid, process)
        (row,) = await db.fetch(_SQL["raise_epoch"], subscription, process)
        cursors = await db.fetch(_SQL["find_cursors"], subscription)
        deliveries = await db.fetch(_SQL["find_open_deliveries"], subscription, most)
        rest = await db.fetchrow(_SQL["find_rest"], subscription, most)
        behind = await db.fetchval(_SQL["count_behind"], subscription)
    epoch, flush_number, resume_requested, state = row
    endpoints = [endpoint for endpoint, _, _ in cursors]
    await id_map.know(db, endpoints=endpoints, numbers=[found[0] for found in deliveries])
    return Claimed(
        epoch=epoch,
        flush_number=flush_number,
        cursors={endpoint: sequence_of(position) for endpoint, position, _ in cursors},
        heads={endpoint: sequence_of(head) for endpoint, _, head in cursors},
        deliveries=tuple(delivery_of(id_map, *found) for found in deliveries),
        state=unpack_state(state.encode()),
        resume_requested=resume_requested,
        rest=None if rest is None else Rest(*rest),
        behind=behind,
    )


async def waiting(
    db: Db, id_map: PostgresIdMap, uid: str, rest: Rest, most: int
) -> tuple[tuple[Delivery, ...], Rest | None]:
    """Rows from a place on. Raises UnknownObject."""
    await id_map.know(db, subscriptions=[uid])
    place = (id_map.subscription(uid), rest.due, rest.number)
    rows = [tuple(row) for row in await db.fetch(_SQL["find_waiting"], *place, most + 1)]
    await id_map.know(db, numbers=[row[0] for row in rows])
    return waiting_of(id_map, rows, most, rest.left)


async def open_rows(
    db: Db, id_map: PostgresIdMap, uid: str, places: Sequence[tuple[LogId, int]]
) -> tuple[Delivery, ...]:
    """Those that have a row. Raises UnknownObject."""
    await id_map.know(db, subscriptions=[uid], endpoints=[endpoint for endpoint, _ in places])
    events = [event_number(id_map.endpoint(x), sequence) for x, sequence in places]
    rows = await db.fetch(_SQL["find_open_rows"], id_map.subscription(uid), events)
    return tuple(delivery_of(id_map, *row) for row in rows)


async def first_rows(
    db: Db, id_map: PostgresIdMap, uid: str, keys: Sequence[EventKey]
) -> tuple[Delivery, ...]:
    """Those that keys begin with. Raises UnknownObject."""
    await id_map.know(db, subscriptions=[uid], endpoints=[endpoint for endpoint, _ in keys])
    given = [(number, key) for x, key in keys if (number := id_map.endpoints.get(x)) is not None]
    columns = _columns(2, given)
    rows = await db.fetch(_SQL["find_first_rows"], id_map.subscription(uid), *columns)
    return tuple(delivery_of(id_map, *row) for row in rows)


async def stranded_keys(
    db: Db, id_map: PostgresIdMap, uid: str, after: EventKey | None, most: int
) -> StrandedPage:
    """A page of keys. Raises UnknownObject."""
    await id_map.know(db, subscriptions=[uid], endpoints=[after[0]] if after else [])
    place = key_place(id_map, after)
    rows = await db.fetch(_SQL["walk_keys"], id_map.subscription(uid), *place, most)
    await id_map.know(db, numbers=[row[0] for row in rows])
    return stranded_of(id_map, [tuple(row) for row in rows], most)


async def release(db: Db, uid: str, epoch: int) -> None:
    """Gives a subscription up; does nothing when a later epoch has begun."""
    await db.execute(_SQL["release"], uid, epoch)


async def request_resume(db: Db, uid: str) -> None:
    """Raises UnknownObject."""
    if await db.fetchval(_SQL["request_resume"], uid) is None:
        raise UnknownObject(f'no subscription "{uid}"')


async def asked(db: Db) -> Mapping[str, Asked]:
    """What was asked, by subscription."""
    return asked_of(await db.fetch(_SQL["find_asked"]))


async def resume_requested(db: Db, uid: str) -> int:
    """Raises UnknownObject."""
    count: int | None = await db.fetchval(_SQL["resume_requested"], uid)
    if count is None:
        raise UnknownObject(f'no subscription "{uid}"')
    return count


async def find_held(db: Db, subscriptions: Iterable[str]) -> set[str]:
    """Those of them whose row somebody else has locked at this moment."""
    return {uid for (uid,) in await db.fetch(_SQL["find_held"], list(subscriptions))}


async def pass_over(db: Db, id_map: PostgresIdMap, passages: Sequence[Passage]) -> NotPassed:
    """Moves cursors of many subscriptions together, and waits for none. The statement that moves
    them sees all that those wrote who had the locks before."""
    await id_map.know(db, endpoints={x.endpoint for x in passages})
    epochs = {x.subscription: x.epoch for x in passages}
    owned = list(epochs), list(epochs.values())
    async with db.transaction():
        free = {row[0]: row[1] for row in await db.fetch(_SQL["lock_owned"], *owned)}
        await db.execute(_SQL["pass_over"], *_columns(3, _passing(id_map, free, passages)))
        left = len(free) < len(epochs)
        ours = {uid for (uid,) in await db.fetch(_SQL["find_owned"], *owned)} if left else set(free)
    return NotPassed(frozenset(epochs.keys() - ours), frozenset(ours - free.keys()))


def _passing(
    id_map: PostgresIdMap, free: Mapping[str, int], passages: Iterable[Passage]
) -> Iterator[tuple[int, int, int]]:
    for uid, _, log_id, upto in passages:
        endpoint = id_map.endpoints.get(log_id)
        if uid in free and endpoint is not None:
            yield free[uid], endpoint, event_number(endpoint, upto)


async def write_flushes(
    db: Db,
    id_map: PostgresIdMap,
    now: Millis,
    flushes: Sequence[Flush],
    seen: dict[str, Seen],
) -> list[StaleOwner | None]:
    """Writes the flushes of several owners: in one statement when none has anything rare. Those
    that have, and those whose subscription somebody else changed before, go in a transaction that
    locks. `seen`: what is known of each subscription; it is kept up to date."""
    await id_map.know(db, endpoints={x for flush in flushes for x in _endpoints(flush)})
    written: set[int] = set()
    if not any(flush.shift_due or flush.replays for flush in flushes):
        touched = [seen.get(x.subscription, Seen()).touched_for(x) for x in flushes]
        written.update(await _write(db, id_map, now, flushes, touched))
    late = [place for place in range(len(flushes)) if place not in written]
    if late:
        turns = await _write_locked(db, id_map, now, [flushes[x] for x in late], seen)
        written.update(late[place] for place in turns)
    return _outcomes(flushes, written)


async def _write_locked(
    db: Db, id_map: PostgresIdMap, now: Millis, flushes: Sequence[Flush], seen: dict[str, Seen]
) -> set[int]:
    """Locks the subscriptions, so that nobody else changes them meanwhile, and writes. Returns the
    places of the flushes that were written."""
    async with db.transaction():
        locked = await db.fetch(_SQL["lock"], [flush.subscription for flush in flushes])
        found = {uid: (subscription, count) for uid, subscription, count in locked}
        news = {
            uid: Seen.of(count, await db.fetch(_SQL["find_bounds"], subscription))
            for uid, (subscription, count) in found.items()
            if count != seen.get(uid, Seen()).touched
        }
        known = ChainMap(news, seen)
        right = [await _counted_once(db, id_map, x, found, seen, known) for x in flushes]
        counts = [found.get(x.subscription, (0, 0))[1] for x in flushes]
        await db.execute(_SQL["shift_due"], *_columns(4, map(_shift, right)))
        turns = await _write(db, id_map, now, right, counts)
        for place in (place for place, is_new in turns.items() if is_new):
            for progress in right[place].replays:
                await _advance_replay(db, id_map, now, progress)
    seen.update(news)
    return set(turns)


async def _counted_once(
    db: Db,
    id_map: PostgresIdMap,
    flush: Flush,
    found: Mapping[str, tuple[int, int]],
    seen: Mapping[str, Seen],
    known: Mapping[str, Seen],
) -> Flush:
    """The flush without what is counted as expired already. `seen`: when this process wrote last;
    `known`: as it is now."""
    subscription, count = found.get(flush.subscription, (0, 0))
    if seen.get(flush.subscription, Seen()).touched_for(flush) == count:
        return flush
    events = _columns(2, numbers_of(flush, id_map))
    rows = await db.fetch(_SQL["find_expired"], subscription, *events)
    expired = {event for (event,) in rows}
    return without_expired(flush, id_map, expired, known.get(flush.subscription, Seen()))


async def _admitted(db: Db, uid: str, process: int | None) -> int:
    """The subscription's number, when this process may have it."""
    row = await db.fetchrow(_SQL["lock_one"], uid)
    if row is None:
        raise UnknownObject(f'no subscription "{uid}"')
    subscription, owner = row
    decision = await db.fetchval(_SQL["judge"], owner, process)
    if decision == "lost":
        raise LeaseLost("this process was found dead")
    if decision == "alive":
        raise OwnedElsewhere(f'"{uid}" has another owner')
    number: int = subscription
    return number


async def _write(
    db: Db,
    id_map: PostgresIdMap,
    now: Millis,
    flushes: Sequence[Flush],
    touched: Sequence[int],
) -> dict[int, bool]:
    """Place of each flush that is written → whether it was written now and not before."""
    rows = _BatchRows(id_map, flushes)
    found = await db.fetch(
        _SQL["write"],
        *_columns(11, map(_turn, flushes)),
        *_columns(_CURSOR_COLUMNS, rows.cursors()),
        *_columns(_REMOVE_COLUMNS, rows.removes()),
        *_columns(_DELIVERY_COLUMNS, rows.deliveries()),
        now,
        *_columns(_ATTEMPT_COLUMNS, rows.attempts()),
        touched,
    )
    return {nth - 1: is_new for nth, is_new in found}


def _outcomes(flushes: Sequence[Flush], written: AbstractSet[int]) -> list[StaleOwner | None]:
    return [
        None if place in written else StaleOwner(f'"{flush.subscription}" has another owner now')
        for place, flush in enumerate(flushes)
    ]


def _columns(count: int, rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """An array for each column, also when there is no row."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(count)]


def _endpoints(flush: Flush) -> Iterator[str]:
    yield from flush.cursors
    yield from (delivery.endpoint for delivery in flush.upserts)
    yield from (endpoint for endpoint, _ in flush.removes)
    yield from (attempt.endpoint for attempt in flush.attempts)


def _shift(flush: Flush) -> tuple[str, int, int, Millis]:
    return flush.subscription, flush.epoch, flush.number, flush.shift_due


def _turn(flush: Flush) -> tuple[Any, ...]:
    return (
        flush.subscription,
        flush.epoch,
        flush.number,
        *counter_columns(flush.counters),
        None if flush.state is None else pack_state(flush.state).decode(),
    )


class _BatchRows:
    """Rows of a group of flushes, each with the ordinal of its flush. Those of an endpoint that is
    gone are left out."""

    def __init__(self, id_map: PostgresIdMap, flushes: Sequence[Flush]) -> None:
        self._endpoints = id_map.endpoints
        self._flushes = list(enumerate(flushes, 1))

    def cursors(self) -> Iterator[tuple[int, int, int]]:
        for nth, flush in self._flushes:
            for uid, sequence in flush.cursors.items():
                if (endpoint := self._endpoints.get(uid)) is not None:
                    yield nth, endpoint, event_number(endpoint, sequence)

    def removes(self) -> Iterator[tuple[int, int]]:
        for nth, flush in self._flushes:
            for uid, sequence in flush.removes:
                if (endpoint := self._endpoints.get(uid)) is not None:
                    yield nth, event_number(endpoint, sequence)

    def deliveries(self) -> Iterator[tuple[Any, ...]]:
        for nth, flush in self._flushes:
            for x in flush.upserts:
                if (endpoint := self._endpoints.get(x.endpoint)) is not None:
                    yield nth, *delivery_columns(endpoint, x)

    def attempts(self) -> Iterator[tuple[Any, ...]]:
        for nth, flush in self._flushes:
            for x in flush.attempts:
                if (endpoint := self._endpoints.get(x.endpoint)) is not None:
                    yield nth, *attempt_columns(endpoint, x)


async def _advance_replay(
    db: Db, id_map: PostgresIdMap, now: Millis, progress: ReplayProgress
) -> None:
    position = None
    if progress.position is not None:
        uid, sequence = progress.position
        position = event_number(id_map.endpoint(uid), sequence)
    counts = (progress.matched, progress.delivered, progress.failed, progress.exhausted)
    await db.execute(_SQL["advance_replay"], position, *counts, progress.uid)
    completed = await db.fetchval(_SQL["complete_replay"], now, progress.uid)
    if completed is not None:
        await db.execute(_SQL["remove_ranges"], completed)
