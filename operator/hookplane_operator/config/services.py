"""Services that subscriptions deliver to: those that lead outside of the namespace are refused."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import Final, NamedTuple

from hookplane.clock import Clock
from hookplane_operator.kube.errors import ApiError
from hookplane_operator.kube.kinds import Object
from hookplane_operator.secrets import Find, Name, for_each

FRESH_SECONDS: Final = 30.0


class _Known(NamedTuple):
    read_at: float
    objection: str | None


class Services:
    """Looks Services up, not more often than every half minute each."""

    def __init__(self, find: Find, clock: Clock) -> None:
        self._find = find
        self._clock = clock
        self._known: dict[Name, _Known] = {}

    @property
    def size(self) -> int:
        """So many are remembered."""
        return len(self._known)

    async def objections(self, names: Iterable[Name]) -> dict[Name, str | ApiError | None]:
        """Why each cannot be a target; None: it can. ApiError: it is not known."""
        self._forget()
        found: dict[Name, str | ApiError | None] = {}

        async def look(name: Name) -> None:
            found[name] = await self._one(name)

        await for_each(set(names), look)
        return found

    async def _one(self, name: Name) -> str | ApiError | None:
        if (known := self._known.get(name)) is not None:
            return known.objection
        try:
            found = objection(name[1], await self._find(name))
        except ApiError as error:
            return error
        self._known[name] = _Known(self._clock.monotonic(), found)
        return found

    def _forget(self) -> None:
        """The dictionary is in the order of reading."""
        old = self._clock.monotonic() - FRESH_SECONDS
        stale = list(takewhile(lambda name: self._known[name].read_at < old, self._known))
        for name in stale:
            del self._known[name]


def objection(name: str, service: Object | None) -> str | None:
    """Why a Service cannot be a target; None: it can. Pure."""
    if service is None:
        return f'there is no Service "{name}" in this namespace'
    spec = service.get("spec", {})
    if spec.get("type") == "ExternalName":
        return f'Service "{name}" is an ExternalName, which can lead anywhere; use target.url'
    if not spec.get("selector"):
        return f'Service "{name}" has no selector, so it can lead anywhere; use target.url'
    return None
