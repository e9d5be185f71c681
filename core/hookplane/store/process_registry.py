"""Which processes are alive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from hookplane.clock import Millis

LEASE: Final[Millis] = 8_000
"""How long a process counts as alive after the beginning of its last heartbeat."""


class Role(StrEnum):
    """What a process does."""

    RECEIVER = "receiver"
    """Takes requests in and appends their events to the logs."""
    DISPATCHER = "dispatcher"
    """Owns subscriptions and delivers their events; the only role that claims."""
    CONSOLE = "console"
    """Shows what is stored."""


@dataclass(frozen=True, slots=True)
class Presence:
    """What a process says of itself with each heartbeat."""

    ready: bool
    """All configuration is loaded and being served."""
    version: int
    """The config version in force."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Uid → why its newest document was not taken."""


@dataclass(frozen=True, slots=True)
class Member:
    """A process that is alive by the store's clock."""

    process: int
    """Its registration; a process that registers anew has another number."""
    role: Role
    instance: str
    """Unique among the live processes of its role, such as a host name."""
    registered: Millis
    presence: Presence


class ProcessRegistry(Protocol):
    """Registrations with a lease."""

    async def register(self, role: Role, instance: str, presence: Presence) -> int:
        """A new registration, alive for LEASE. One of the same role and instance ends."""

    async def heartbeat(self, process: int, presence: Presence) -> list[Member]:
        """Extends the lease to LEASE from now; returns all live processes, this one included, the
        oldest registration first. Raises LeaseLost: an expired lease is never revived."""

    async def members(self) -> list[Member]:
        """All live processes, for somebody who is none of them."""

    async def leave(self, process: int) -> None:
        """Ends a registration and releases all that it owns."""
