"""What makes two events the same one for a log."""

from __future__ import annotations

import hashlib
from typing import Final

from hookplane.store.event_log import NewEvent

_FINGERPRINT_BYTES: Final = 16


def identity_within_log(event: NewEvent) -> bytes | str:
    """The deduplication key, or the id of an event without a key."""
    return event.event_id if event.dedup_key is None else event.dedup_key


def body_fingerprint(body: bytes) -> bytes:
    """Stored beside a key: another fingerprint means that the same key came with another body."""
    return hashlib.blake2b(body, digest_size=_FINGERPRINT_BYTES).digest()
