"""Appends groups of events to the logs of their endpoints."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson

from hookplane.errors import UnknownObject
from hookplane.store.dedup_identity import body_fingerprint, identity_within_log
from hookplane.store.event_log import Appended, NewEvent
from hookplane.store.sql import load_statements
from hookplane.store.sqlite import bulk
from hookplane.store.sqlite.connection import transaction
from hookplane.store.sqlite.faults import DATA_ERRORS, rejected
from hookplane.store.storable_text import pack_headers, storable

_SQL: Final = load_statements("hookplane.store.sqlite", "ingest.sql")
_FIND_SAME_ID: Final = _SQL["find_same_id"]


def append_group(
    db: sqlite3.Connection, events: Sequence[NewEvent]
) -> list[Appended | UnknownObject]:
    """One transaction. Raises RejectedEvent, without storing anything, when a value of any event
    cannot be stored."""
    try:
        with transaction(db):
            group = _GroupRows(db, events)
            outcomes = [group.place(event) for event in events]
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


class _GroupRows:
    """Gives events their places and collects the rows to be written."""

    def __init__(self, db: sqlite3.Connection, events: Sequence[NewEvent]) -> None:
        self._db = db
        uids = orjson.dumps(list({event.endpoint for event in events})).decode()
        rows = db.execute(_SQL["find_heads"], (uids,))
        self._heads = {uid: _Head(endpoint, head) for uid, endpoint, head in rows}
        self._content: int = db.execute(_SQL["last_content"]).fetchone()[0]
        self._seen = self._find_keys(events)
        self._placed: dict[tuple[int, bytes | str], NewEvent] = {}
        self._events: list[tuple[int, str, int, str, int, int]] = []
        self._contents: list[tuple[int, bytes, bytes]] = []
        self._keys: list[tuple[int, bytes, str, bytes, int]] = []

    def place(self, event: NewEvent) -> Appended | UnknownObject:
        head = self._heads.get(event.endpoint)
        if head is None:
            return UnknownObject(f'no endpoint "{event.endpoint}"')
        known = self._placed_before(head, event) or self._stored_before(head, event)
        if known is not None:
            return known
        self._add(head, event)
        return Appended(event.event_id)

    def write(self) -> None:
        db = self._db
        bulk.insert(db, _SQL["insert_event"], self._events)
        bulk.insert(db, _SQL["insert_content"], self._contents)
        bulk.insert(db, _SQL["insert_key"], self._keys)
        heads = [x for x in self._heads.values() if x.received]
        db.executemany(
            _SQL["raise_head"], [(x.number, x.bytes, x.received, x.endpoint) for x in heads]
        )

    def _find_keys(self, events: Sequence[NewEvent]) -> dict[tuple[int, bytes], _Seen]:
        keys = [
            (self._heads[event.endpoint].endpoint, event.dedup_key)
            for event in events
            if event.dedup_key is not None and event.endpoint in self._heads
        ]
        rows = bulk.select(self._db, _SQL["find_keys"], keys)
        return {(endpoint, key): _Seen(*rest) for endpoint, key, *rest in rows}

    def _placed_before(self, head: _Head, event: NewEvent) -> Appended | None:
        original = self._placed.get(_identity(head, event))
        if original is None:
            return None
        return Appended(original.event_id, True, original.body != event.body)

    def _stored_before(self, head: _Head, event: NewEvent) -> Appended | None:
        if event.dedup_key is None:
            row = self._db.execute(_FIND_SAME_ID, (event.event_id, head.endpoint)).fetchone()
            return row and Appended(event.event_id, True, row[0] != event.body)
        found = self._seen.get((head.endpoint, event.dedup_key))
        if found is None or found.expires <= event.received:
            return None
        return Appended(found.event_id, True, found.fingerprint != body_fingerprint(event.body))

    def _add(self, head: _Head, event: NewEvent) -> None:
        number = head.number = head.number + 1
        body, received = event.body, event.received
        head.bytes += len(body)
        head.received = max(head.received, received, 1)
        self._placed[_identity(head, event)] = event
        content = self._content = self._content + 1
        row = (number, event.event_id, received, storable(event.type), len(body), content)
        self._events.append(row)
        self._contents.append((content, pack_headers(event.headers), body))
        if event.dedup_key is not None:
            self._keys.append(
                (
                    head.endpoint,
                    event.dedup_key,
                    event.event_id,
                    body_fingerprint(body),
                    event.dedup_until,
                )
            )


def _identity(head: _Head, event: NewEvent) -> tuple[int, bytes | str]:
    return head.endpoint, identity_within_log(event)
