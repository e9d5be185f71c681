"""Appends groups of events to the logs of their endpoints."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson

from hookplane.clock import Millis
from hookplane.errors import UnknownObject
from hookplane.store.dedup_identity import body_fingerprint, identity_within_log, spare_keys
from hookplane.store.event_log import Appended, NewEvent
from hookplane.store.sql import load_statements
from hookplane.store.sqlite import bulk
from hookplane.store.sqlite.connection import transaction
from hookplane.store.sqlite.faults import DATA_ERRORS, rejected
from hookplane.store.storable_text import pack_headers, storable

_SQL: Final = load_statements("hookplane.store.sqlite", "ingest.sql")
_FIND_SAME_ID: Final = _SQL["find_same_id"]


def append_group(
    db: sqlite3.Connection, events: Sequence[NewEvent], now: Millis
) -> list[Appended | UnknownObject]:
    """One transaction. `now`: by the clock of the store. Raises RejectedEvent, without storing
    anything, when a value of any event cannot be stored."""
    try:
        with transaction(db):
            spares = list(spare_keys(events))
            group = _GroupRows(db, events, spares, now)
            outcomes = list(map(group.place, events, spares))
            group.write()
            return outcomes
    except DATA_ERRORS as error:
        raise rejected(error) from error


@dataclass(slots=True)
class _Head:
    endpoint: int
    number: int
    bytes: int = 0
    received: int = 0


class _Seen(NamedTuple):
    """A deduplication key that is in the store."""

    event_id: str
    fingerprint: bytes
    expires: int


class _Original(NamedTuple):
    """The event that a key stands for already."""

    event_id: str
    other_body: bool


class _GroupRows:
    """Gives events their places and collects the rows to be written."""

    def __init__(
        self,
        db: sqlite3.Connection,
        events: Sequence[NewEvent],
        spares: Sequence[bytes | None],
        now: Millis,
    ) -> None:
        self._db = db
        self._now = now
        uids = orjson.dumps(list({event.endpoint for event in events})).decode()
        rows = db.execute(_SQL["find_heads"], (uids,))
        self._heads = {uid: _Head(endpoint, head) for uid, endpoint, head in rows}
        self._content: int = db.execute(_SQL["last_content"]).fetchone()[0]
        self._seen = self._find_keys(events, spares)
        self._placed: dict[tuple[int, bytes | str], NewEvent] = {}
        self._events: list[tuple[int, str, int, str, int, int, int, str]] = []
        self._contents: list[tuple[int, bytes, bytes]] = []
        self._keys: list[tuple[int, bytes, str, bytes, int]] = []

    def place(self, event: NewEvent, spare: bytes | None) -> Appended | UnknownObject:
        head = self._heads.get(event.endpoint)
        if head is None:
            return UnknownObject(f'no endpoint "{event.endpoint}"')
        key = identity_within_log(event)
        first = self._original(head, event, key)
        for original in (first, spare and self._original(head, event, spare)):
            if original and not (spare and original.other_body):
                return Appended(original.event_id, True, original.other_body)
        self._add(head, event, spare if first and spare else key)
        return Appended(event.event_id, conflict=first is not None)

    def write(self) -> None:
        db = self._db
        bulk.insert(db, _SQL["insert_event"], self._events)
        bulk.insert(db, _SQL["insert_content"], self._contents)
        bulk.insert(db, _SQL["insert_key"], self._keys)
        heads = [x for x in self._heads.values() if x.received]
        db.executemany(
            _SQL["raise_head"], [(x.number, x.bytes, x.received, x.endpoint) for x in heads]
        )

    def _find_keys(
        self, events: Sequence[NewEvent], spares: Sequence[bytes | None]
    ) -> dict[tuple[int, bytes], _Seen]:
        keys = [
            (self._heads[event.endpoint].endpoint, key)
            for event, spare in zip(events, spares, strict=True)
            for key in (event.dedup_key, spare)
            if key is not None and event.endpoint in self._heads
        ]
        rows = bulk.select(self._db, _SQL["find_keys"], keys)
        return {(endpoint, key): _Seen(*rest) for endpoint, key, *rest in rows}

    def _original(self, head: _Head, event: NewEvent, key: bytes | str) -> _Original | None:
        placed = self._placed.get((head.endpoint, key))
        if placed is not None:
            return _Original(placed.event_id, placed.body != event.body)
        if isinstance(key, str):
            row = self._db.execute(_FIND_SAME_ID, (key, head.endpoint)).fetchone()
            return row and _Original(key, row[0] != event.body)
        found = self._seen.get((head.endpoint, key))
        if found is None or found.expires <= self._now:
            return None
        return _Original(found.event_id, found.fingerprint != body_fingerprint(event.body))

    def _add(self, head: _Head, event: NewEvent, key: bytes | str) -> None:
        number = head.number = head.number + 1
        body, received = event.body, event.received
        head.bytes += len(body)
        head.received = max(head.received, received, 1)
        self._placed[head.endpoint, key] = event
        content = self._content = self._content + 1
        told = (number, event.event_id, received, storable(event.type), len(body))
        self._events.append((*told, content, self._now, storable(event.key)))
        self._contents.append((content, pack_headers(event.headers), body))
        if isinstance(key, bytes):
            expires = self._now + event.dedup_window
            known = (head.endpoint, key, event.event_id, body_fingerprint(body), expires)
            self._keys.append(known)
