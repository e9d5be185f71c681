"""Makes values of the model from rows. Both drivers select the same columns in the same order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import orjson

from hookplane.store.delivery_store import (
    Asked,
    Attempt,
    Delivery,
    DeliveryState,
    EventKey,
    NewReplay,
    ReplayCandidate,
    ReplayJob,
    ReplayPage,
    ReplayPhase,
    Rest,
    StrandedPage,
)
from hookplane.store.event_log import Content, LogEntry
from hookplane.store.event_numbers import endpoint_of, event_number, sequence_of
from hookplane.store.id_map import IdMap
from hookplane.store.queries import AttemptRow, DeliveryRow, EndpointStats, FailingDelivery
from hookplane.store.storable_text import unpack_headers

FOR_EVER: Final = (1 << 63) - 1
"""A time later than any other."""
WITH_ROW: Final = frozenset({DeliveryState.SENDING, DeliveryState.RETRYING, DeliveryState.DEAD})
"""States of deliveries that have a row of their own."""
ENTRY: Final = 6
"""So many columns has an entry: number, event id, received, type, size, key."""
_PHASE: Final = 5
_EXHAUSTED: Final = 9
"""Columns of a replay job that are of another type in the model."""
_SETTLED: Final = frozenset(
    {
        DeliveryState.DEAD,
        DeliveryState.DELIVERED,
        DeliveryState.FILTERED,
        DeliveryState.EXPIRED,
    }
)


def entry_of(ids: IdMap, number: int, *rest: Any) -> LogEntry:
    """From (number, event id, received, type, size, key)."""
    return LogEntry(*ids.place(number), *rest)


def content_of(headers: bytes, body: bytes | None) -> Content | None:
    """From the columns of a content; both are null where it was not asked for."""
    return None if body is None else Content(unpack_headers(headers), body)


def delivery_of(ids: IdMap, number: int, event_id: str, type_: str, *rest: Any) -> Delivery:
    """From the columns of a delivery, without its subscription."""
    state, *others = rest
    return Delivery(*ids.place(number), event_id, type_, DeliveryState(state), *others)


def waiting_of(
    ids: IdMap, rows: list[tuple[Any, ...]], most: int, count: int
) -> tuple[tuple[Delivery, ...], Rest | None]:
    """From the columns of deliveries, one more than `most` if there are so many. `count`: of all
    that were left before."""
    found = tuple(delivery_of(ids, *row) for row in rows[:most])
    if len(rows) <= most:
        return found, None
    number, due = rows[most][0], rows[most][5]
    return found, Rest(due, number, max(count - most, 1))


def key_place(ids: IdMap, after: EventKey | None) -> tuple[str, int]:
    """Where a walk over keys goes on behind this one: key and event number. Of a key whose endpoint
    has gone meanwhile it looks at all endpoints again."""
    if after is None:
        return "", 0
    uid, key = after
    endpoint = ids.endpoints.get(uid)
    return key, 0 if endpoint is None else event_number(endpoint + 1, 0)


def stranded_of(ids: IdMap, rows: list[tuple[Any, ...]], most: int) -> StrandedPage:
    """From (number, key, whether it is stranded), of at most so many keys."""
    known = [(*ids.place(x), *rest) for x, *rest in rows if endpoint_of(x) in ids.endpoint_uids]
    keys = tuple((uid, key) for uid, _, key, is_stranded in known if is_stranded)
    following = (known[-1][0], known[-1][2]) if known and len(rows) == most else None
    return StrandedPage(keys, following)


def delivery_row_of(ids: IdMap, uid: str, *row: Any) -> DeliveryRow:
    """From the columns of an entry, then (state, attempts, due, status code, error)."""
    return DeliveryRow(
        uid, entry_of(ids, *row[:ENTRY]), DeliveryState(row[ENTRY]), *row[ENTRY + 1 :]
    )


def attempt_rows_of(ids: IdMap, rows: list[tuple[Any, ...]]) -> list[AttemptRow]:
    """Leaves out attempts that are kept although their subscription or endpoint is gone."""
    return [
        _attempt_row(ids, *row)
        for row in rows
        if row[0] in ids.subscription_uids and endpoint_of(row[1]) in ids.endpoint_uids
    ]


def _attempt_row(ids: IdMap, subscription: int, event: int, *columns: Any) -> AttemptRow:
    event_id, at, number, duration, success, *rest = columns
    made = (event_id, at, number, duration, bool(success), *rest)
    attempt = Attempt(*ids.place(event), *made)
    return AttemptRow(ids.subscription_uids[subscription], attempt)


def endpoint_stats_of(uid: str, head: int, floor: int, *columns: Any) -> EndpointStats:
    """From (uid, head, floor, last accepted, duplicates, conflicts, last rejected, its reason, its
    detail, rejections by reason as JSON)."""
    last_accepted, duplicates, conflicts, *last_rejected, rejected = columns
    counts = (last_accepted, duplicates, conflicts, orjson.loads(rejected))
    return EndpointStats(uid, sequence_of(head), head - floor, *counts, *last_rejected)


def failure_of(*columns: Any) -> FailingDelivery:
    """From the columns in the order of the model."""
    event_id, type_, attempts, status_code, error, due, state = columns
    outcome = (status_code, error, due, DeliveryState(state))
    return FailingDelivery(event_id, type_, attempts, *outcome)


def asked_of(rows: Iterable[Iterable[Any]]) -> dict[str, Asked]:
    """From subscription, resumes and replay, if any, a row for each replay."""
    found: dict[str, Asked] = {}
    for subscription, resumes, replay in rows:
        known = found.get(subscription, Asked()).replays
        found[subscription] = Asked(resumes, known | {replay} if replay else known)
    return found


def job_of(*columns: Any) -> ReplayJob:
    """From the columns in the order of the model."""
    job: list[Any] = list(columns)
    job[_PHASE], job[_EXHAUSTED] = ReplayPhase(job[_PHASE]), bool(job[_EXHAUSTED])
    return ReplayJob(*job)


def replay_page_of(
    ids: IdMap, rows: list[tuple[Any, ...]], position: int | None, exhausted: bool
) -> ReplayPage:
    """From the columns of entries, each with its state, and the number that was looked at last."""
    found = [
        ReplayCandidate(entry_of(ids, *row[:ENTRY]), DeliveryState(row[ENTRY])) for row in rows
    ]
    last = None if position is None else ids.place(position)
    return ReplayPage(tuple(found), last, exhausted)


def bounds_of(replay: NewReplay) -> tuple[int, int]:
    """The times between which a job takes events: from (inclusive), to (exclusive)."""
    return (0, FOR_EVER) if replay.ids else (replay.received_from, replay.received_to or FOR_EVER)


def states_of(replay: NewReplay) -> list[str]:
    """The states of deliveries that a job takes. A job that names events or asks for every settled
    state takes those that are retrying too."""
    retrying = DeliveryState.RETRYING
    states = (replay.states & (_SETTLED | {retrying})) or _SETTLED
    return sorted(states | {retrying} if replay.ids or states >= _SETTLED else states)
