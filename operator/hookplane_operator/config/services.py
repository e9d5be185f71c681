"""Services that subscriptions deliver to: those that lead outside of the namespace are refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hookplane.clock import Clock
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.kinds import SERVICE, Object

FRESH_SECONDS: Final = 30.0

Name = tuple[str, str]


class Services:
    """Looks Services up, not more often than every half minute each."""

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self._kube = kube
        self._clock = clock
        self._known: dict[Name, tuple[float, str | None]] = {}

    async def refused(self, names: Iterable[Name]) -> dict[str, str]:
        """`namespace/name` → why it cannot be a target. Raises ApiError."""
        found = {name: await self._why(name) for name in set(names)}
        return {f"{name[0]}/{name[1]}": why for name, why in found.items() if why is not None}

    async def _why(self, name: Name) -> str | None:
        now = self._clock.monotonic()
        known = self._known.get(name)
        if known is None or now - known[0] > FRESH_SECONDS:
            known = (now, objection(name[1], await self._kube.find(SERVICE, *name)))
            self._known[name] = known
        return known[1]


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
