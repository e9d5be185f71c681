"""Registrations and owners of a store that one process has to itself: in memory, as they end with
it anyhow, and under the same rules as where many share a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hookplane.clock import Clock, Millis
from hookplane.errors import LeaseLost, OwnedElsewhere
from hookplane.store.process_registry import LEASE, Member, Presence, Role, Sighting


@dataclass(slots=True)
class _Registration:
    member: Member
    said: Millis
    """When it last said that it is alive."""
    pulse: int = 0


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
        self._alive[self._last] = _Registration(member, now)
        return self._last

    def heartbeat(self, process: int, presence: Presence) -> list[Member]:
        """All that have not ended. Raises LeaseLost."""
        known = self._live(process)
        known.member = replace(known.member, presence=presence)
        known.said = self._clock.now()
        known.pulse += 1
        return [x.member for x in self._alive.values()]

    def look(self, process: int) -> list[Sighting]:
        """All others. Nobody's connection ends, as there is none. Raises LeaseLost."""
        self._live(process)
        others = [other for other in self._alive if other != process]
        return [Sighting(other, self._alive[other].pulse, gone=False) for other in others]

    def declare_dead(self, dead: Sequence[Sighting]) -> bool:
        """Whether one of them ended by this."""
        found = [x.process for x in dead if self._is_as_seen(x)]
        for process in found:
            del self._alive[process]
        return bool(found)

    def members(self) -> list[Member]:
        """All that said so a short while ago, the oldest registration first."""
        now = self._clock.now()
        return [x.member for x in self._alive.values() if x.said + LEASE > now]

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
        self._live(process)
        owner = self._owners.get(subscription, process)
        if owner != process and owner in self._alive:
            raise OwnedElsewhere(f'"{subscription}" has another owner')
        self._owners[subscription] = process

    def release(self, subscription: str) -> None:
        """The next one may claim it at once."""
        self._owners.pop(subscription, None)

    def _live(self, process: int) -> _Registration:
        known = self._alive.get(process)
        if known is None:
            raise LeaseLost("this process was found dead, or a successor took its name")
        return known

    def _is_as_seen(self, sighting: Sighting) -> bool:
        known = self._alive.get(sighting.process)
        return known is not None and known.pulse == sighting.pulse
