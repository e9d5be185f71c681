"""One thing that happened, before it becomes a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hookplane.clock import Millis


class Verb(StrEnum):
    """What happened."""

    RECEIVED = "received"
    REJECTED = "rejected"
    UNROUTED = "unrouted"
    DELIVERED = "delivered"
    FAILED = "failed"
    NOTED = "noted"


@dataclass(frozen=True, slots=True)
class Note:
    """`facts` are about the arguments of the ActivityLog method that is named like the verb."""

    at: Millis
    verb: Verb
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Summary:
    """How much happened within a second beyond the lines that were printed."""

    at: Millis
    counts: Mapping[Verb, int]
