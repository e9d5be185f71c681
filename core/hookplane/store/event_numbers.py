"""Event numbers: an endpoint's small integer and a sequence in one."""

from __future__ import annotations

from typing import Final

SEQUENCE_BITS: Final = 40
SEQUENCE_MASK: Final = (1 << SEQUENCE_BITS) - 1


def event_number(endpoint: int, sequence: int) -> int:
    """Where an event is in the table: the endpoint's number, then its sequence."""
    return (endpoint << SEQUENCE_BITS) + sequence


def sequence_of(number: int) -> int:
    """Sequence of an event number."""
    return number & SEQUENCE_MASK


def endpoint_of(number: int) -> int:
    """Endpoint of an event number."""
    return number >> SEQUENCE_BITS
