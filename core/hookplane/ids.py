"""Event ids: `evt_` and a ULID in lower case (https://github.com/ulid/spec), sortable by time."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from hookplane.clock import Millis

EVENT_PREFIX: Final = "evt_"
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = [a + b for a in _ALPHABET for b in _ALPHABET]

RandomBytes = Callable[[int], bytes]
"""Gives n unpredictable bytes, such as `secrets.token_bytes`."""


class RandomPool:
    """RandomBytes that asks the operating system once for many small draws. Not thread-safe."""

    SIZE: Final = 4096

    def __init__(self, source: RandomBytes = secrets.token_bytes) -> None:
        self._source = source
        self._pool = b""
        self._used = 0

    def __call__(self, count: int) -> bytes:
        if self._used + count > len(self._pool):
            self._pool, self._used = self._source(max(self.SIZE, count)), 0
        start, self._used = self._used, self._used + count
        return self._pool[start : self._used]


def event_id(now: Millis, random_bytes: RandomBytes = secrets.token_bytes) -> str:
    """A new event id: 48 bits of time, 80 bits of randomness, 26 characters after the prefix."""
    number = (now << 80) | int.from_bytes(random_bytes(10), "big")
    pairs = [_PAIRS[(number >> shift) & 0x3FF] for shift in range(120, -1, -10)]
    return EVENT_PREFIX + "".join(pairs)
