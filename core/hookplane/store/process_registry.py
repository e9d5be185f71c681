"""Which processes are alive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from hookplane.clock import Millis

LEASE: Final[Millis] = 8_000
"""How long a process counts as alive after the beginning of its last heartbeat, unless it is seen
to have ended."""


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
    """A process that has not ended."""

    process: int
    """Its registration; a process that registers anew has another number."""
    role: Role
    instance: str
    """Unique among the live processes of its role, such as a host name."""
    registered: Millis
    presence: Presence


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is seen of another process that has not ended."""

    process: int
    pulse: int
    """Another one after each heartbeat, and after its connection was opened again."""
    gone: bool
    """The connection that it keeps as long as it lives has ended; False where none can be seen."""


class ProcessRegistry(Protocol):
    """Registrations. One ends when its process leaves, when another takes its name, or when others
    declare it dead; nothing revives it, and no clock of the store ends it."""

    async def register(self, role: Role, instance: str, presence: Presence) -> int:
        """A new registration. One of the same role and instance ends."""

    async def heartbeat(self, process: int, presence: Presence) -> list[Member]:
        """Says that the process is alive; returns all that have not ended, this one included, the
        oldest registration first. Raises LeaseLost when it has ended."""

    async def look(self, process: int) -> list[Sighting]:
        """All others that have not ended, and the proof that the connection of this process is
        there. Raises LeaseLost when it is declared dead itself."""

    async def declare_dead(self, dead: Sequence[Sighting]) -> None:
        """Ends these, but for those whose pulse is another one by now."""

    async def members(self) -> list[Member]:
        """All processes that seem alive, for somebody who is none of them and does not observe
        them: those that said so within LEASE."""

    async def leave(self, process: int) -> None:
        """Ends a registration and releases all that it owns."""
