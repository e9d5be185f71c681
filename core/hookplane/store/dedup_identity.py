"""What makes two events the same one for a log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from hookplane.store.event_log import LogId, NewEvent

_FINGERPRINT_BYTES: Final = 16
_SPARE_BYTES: Final = 32


def identity_within_log(event: NewEvent) -> bytes | str:
    """The deduplication key, or the id of an event without a key."""
    return event.event_id if event.dedup_key is None else event.dedup_key


def body_fingerprint(body: bytes) -> bytes:
    """Stored beside a key: another fingerprint means that the same key came with another body."""
    return hashlib.blake2b(body, digest_size=_FINGERPRINT_BYTES).digest()


def spare_keys(events: Sequence[NewEvent]) -> Iterator[bytes | None]:
    """For each event of a group the key under which it is stored when another body has its own; it
    depends on the body, so that repeats find it. None: the event is a duplicate then. The first
    event of a key decides for all of that key how the group reads it."""
    firsts: dict[tuple[LogId, bytes], bool] = {}
    for event in events:
        key = event.dedup_key
        if key is None:
            yield None
            continue
        spares = firsts.setdefault((event.endpoint, key), event.repeats_identical)
        yield _spare_key(key, event.body) if spares else None


def _spare_key(key: bytes, body: bytes) -> bytes:
    return hashlib.blake2b(key, key=body_fingerprint(body), digest_size=_SPARE_BYTES).digest()
