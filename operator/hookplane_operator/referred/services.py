"""Services that subscriptions deliver to: those that lead outside of the namespace are refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from hookplane.clock import Clock
from hookplane_operator.kube.kinds import Object
from hookplane_operator.referred.polling_cache import Name, PollingCache, Turn

FIT: Final = Turn(after=30.0, per_second=5)
REFUSED: Final = Turn(after=5.0, per_second=5)

Services = PollingCache[str | None]
"""Why each cannot be a target; None: it can."""


def services_in_use(
    find: Callable[[Name], Awaitable[Object | None]],
    clock: Clock,
    changed: Callable[[Name], None],
) -> Services:
    """`find`: reads the object; None: there is none. `changed` as for PollingCache."""

    async def read(name: Name) -> str | None:
        return objection(name[1], await find(name))

    return PollingCache(read, clock, changed, (FIT, REFUSED), _is_refused)


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


def _is_refused(objection: str | None) -> bool:
    return objection is not None
