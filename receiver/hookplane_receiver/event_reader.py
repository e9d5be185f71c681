"""What a request says of its event: type, deduplication key and key. What takes long is read beside
everything else."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from hookplane.network.headers import Headers
from hookplane.providers import extract
from hookplane_receiver.prepared import PreparedEndpoint

LONG: Final = 64 << 10
"""Bytes. A number in a body that is as long is not looked for digit for digit between two other
requests: at worst that takes 0.2 µs for each byte."""


class Told(NamedTuple):
    """What a request says."""

    type: str
    dedup_key: bytes | None
    """None: it has none."""
    key: str
    """Empty: it has none."""


class EventReader:
    """For all endpoints of a receiver."""

    def __init__(self) -> None:
        self._reading = asyncio.Lock()
        """Held by the one event of which something is read that takes long: the threads of several
        would take turns with the event loop."""

    async def read(self, endpoint: PreparedEndpoint, headers: Headers, body: bytes) -> Told:
        """What a request that was admitted says."""
        facts = extract.Facts(headers, body, hurried=len(body) >= LONG)
        told = _told(endpoint, facts)
        if not facts.put_off:
            return told
        async with self._reading:
            return await asyncio.to_thread(_told, endpoint, extract.Facts(headers, body))


def _told(endpoint: PreparedEndpoint, facts: extract.Facts) -> Told:
    dedup, key = endpoint.dedup_key, endpoint.event_key
    return Told(
        type=extract.event_type(endpoint.event_type, facts),
        dedup_key=None if dedup is None else extract.dedup_key(dedup, facts),
        key="" if key is None else extract.event_key(key, facts),
    )
