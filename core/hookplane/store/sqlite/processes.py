"""Registrations and owners of a store that one process has to itself: in memory, as they end with
it anyhow, and under the same rules as where many share a store."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hookplane.clock import Clock, Millis
from hookplane.errors import LeaseLost, OwnedElsewhere
from hookplane.store.process_registry import LEASE, Member, Presence, Role


@dataclass(slots=True)
class _Registration:
    member: Member
    expires: Millis


class Processes:
    """Who is alive, and who owns what."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._alive: dict[int, _Registration] = {}
        self._owners: dict[str, int] = {}

    def register(self, role: Role, instance: str, presence: Presence) -> int:
        """Ends a live registration of the same role and instance."""
        for process, known in list(self._alive.items()):
            if (known.member.role, known.member.instance) == (role, instance):
                del self._alive[process]
        now = self._clock.now()
        self._last += 1
        member = Member(self._last, role, instance, now, presence)
        self._alive[self._last] = _Registration(member, now + LEASE)
        return self._last

    def heartbeat(self, process: int, presence: Presence) -> list[Member]:
        """All live processes. Raises LeaseLost."""
        known = self._live(process)
        known.member = replace(known.member, presence=presence)
        known.expires = self._clock.now() + LEASE
        return self.members()

    def members(self) -> list[Member]:
        """All live processes, the oldest registration first."""
        now = self._clock.now()
        return [x.member for x in self._alive.values() if x.expires > now]

    def leave(self, process: int) -> list[str]:
        """The subscriptions that it releases."""
        self._alive.pop(process, None)
        released = [uid for uid, owner in self._owners.items() if owner == process]
        for uid in released:
            del self._owners[uid]
        return released

    def admit(self, subscription: str, process: int | None) -> None:
        """Whether this process may claim it. Raises LeaseLost, OwnedElsewhere."""
        if process is None:
            self._owners.pop(subscription, None)
            return
        me = self._live(process)
        owner = self._owners.get(subscription, process)
        other = self._alive.get(owner)
        if owner != process and other is not None:
            now = self._clock.now()
            if other.expires > now or me.member.registered + LEASE > now:
                raise OwnedElsewhere(f'"{subscription}" has another owner')
            del self._alive[owner]
        self._owners[subscription] = process

    def release(self, subscription: str) -> None:
        """The next one may claim it at once."""
        self._owners.pop(subscription, None)

    def _live(self, process: int) -> _Registration:
        known = self._alive.get(process)
        if known is None or known.expires <= self._clock.now():
            raise LeaseLost("the lease of this process has expired, or a successor took its name")
        return known
