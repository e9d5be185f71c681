"""Appends groups of events to the logs of their endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from hookplane.errors import UnknownObject
from hookplane.store.dedup_identity import body_fingerprint, identity_within_log, spare_keys
from hookplane.store.event_log import Appended, NewEvent
from hookplane.store.postgres.db import Db
from hookplane.store.sql import load_statements
from hookplane.store.storable_text import pack_headers, storable

Outcome = Appended | UnknownObject
_Identity = tuple[str, bytes | str, bytes | None]

_SQL: Final = load_statements("hookplane.store.postgres", "ingest.sql")


async def append_group(db: Db, events: Sequence[NewEvent], again: bool) -> list[Outcome]:
    """One transaction in one round trip. `again`: this very group was sent before and nobody knows
    what became of it, so that events found in the store are its own."""
    group = _KeyedGroup(events)
    found = await db.fetch(_SQL["append"], *group.columns())
    return group.outcomes({row[0]: tuple(row) for row in found}, again)


async def find_held(db: Db, log_ids: Iterable[str]) -> set[str]:
    """Those of them whose head somebody else has locked at this moment."""
    return {uid for (uid,) in await db.fetch(_SQL["find_held"], list(log_ids))}


class _KeyedGroup:
    """Events of one group; those that are the same wait for the outcome of the first of them."""

    def __init__(self, events: Sequence[NewEvent]) -> None:
        self._events = events
        self._spares = list(spare_keys(events))
        self._identities = list(map(_identity, events, self._spares))
        self._first: dict[_Identity, int] = {}
        for place, identity in enumerate(self._identities):
            self._first.setdefault(identity, place)

    def columns(self) -> Iterable[list[Any]]:
        """The arguments of the statement, an array each."""
        rows = (_row(self._events[place], self._spares[place]) for place in self._first.values())
        return map(list, zip(*rows, strict=True))

    def outcomes(self, found: dict[int, tuple[Any, ...]], again: bool) -> list[Outcome]:
        """For each event, in order. `found`: ordinal → (ordinal, original, conflict)."""
        settled = {
            place: self._outcome(place, found.get(ordinal), again)
            for ordinal, place in enumerate(self._first.values(), 1)
        }
        return [self._of(place, settled) for place in range(len(self._events))]

    def _of(self, place: int, settled: dict[int, Outcome]) -> Outcome:
        event = self._events[place]
        first = self._first[self._identities[place]]
        outcome = settled[first]
        if place == first or isinstance(outcome, UnknownObject):
            return outcome
        conflict = outcome.conflict or event.body != self._events[first].body
        return Appended(outcome.event_id, True, conflict and self._spares[place] is None)

    def _outcome(self, place: int, row: tuple[Any, ...] | None, again: bool) -> Outcome:
        event = self._events[place]
        if row is None:
            return Appended(event.event_id)
        _, original, conflict = row
        if original is None and not conflict:
            return UnknownObject(f'no endpoint "{event.endpoint}"')
        if original is None or (again and original == event.event_id):
            return Appended(event.event_id, conflict=conflict and self._spares[place] is not None)
        return Appended(original, True, conflict and self._spares[place] is None)


def _identity(event: NewEvent, spare: bytes | None) -> _Identity:
    return event.endpoint, identity_within_log(event), spare


def _row(event: NewEvent, spare: bytes | None) -> tuple[Any, ...]:
    key = event.dedup_key
    return (
        event.endpoint,
        event.event_id,
        event.received,
        storable(event.type),
        pack_headers(event.headers),
        event.body,
        key,
        None if key is None else body_fingerprint(event.body),
        event.dedup_window,
        spare,
        storable(event.key),
    )
