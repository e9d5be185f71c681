"""Services that subscriptions deliver to: those that lead outside of the namespace are refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Final, NamedTuple

from hookplane.clock import Clock
from hookplane.store.process_registry import Role
from hookplane_operator.kube.kinds import Object
from hookplane_operator.kube.names import OURS, PART_OF, ROLE
from hookplane_operator.referred.polling_cache import Name, PollingCache, Turn

FIT: Final = Turn(after=30.0, per_second=5)
_NO_ADDRESS: Final = "None"
REFUSED: Final = Turn(after=5.0, per_second=5)

_NOT_FOR_EVENTS: Final = frozenset({"operator", "postgresql", Role.CONSOLE, Role.DISPATCHER})
"""Parts of ours that no delivery may go to. Receivers take webhooks from everybody."""


class ServiceTarget(NamedTuple):
    """A Service, as a target."""

    objection: str | None
    """Why it cannot be one; None: it can."""
    addresses: tuple[str, ...] = ()
    """Of the cluster's; none: its name leads to pods, whose addresses change (headless)."""
    ports: tuple[int, ...] = ()
    """At these addresses, for TCP; none are known where there is no address."""


Services = PollingCache[ServiceTarget]


def services_in_use(
    find: Callable[[Name], Awaitable[Object | None]],
    clock: Clock,
    changed: Callable[[Name], None],
) -> Services:
    """`find`: reads the object; None: there is none. `changed` as for PollingCache."""

    async def read(name: Name) -> ServiceTarget:
        return target_of(name[1], await find(name))

    return PollingCache(read, clock, changed, (FIT, REFUSED), _is_refused)


def target_of(name: str, service: Object | None) -> ServiceTarget:
    """Pure."""
    why = objection(name, service)
    if service is None or why is not None:
        return ServiceTarget(why)
    spec = service.get("spec", {})
    given = spec.get("clusterIPs") or [spec.get("clusterIP") or _NO_ADDRESS]
    addresses = tuple(str(ip_address(x)) for x in given if x != _NO_ADDRESS)
    tcp = [x["port"] for x in spec.get("ports") or () if x.get("protocol", "TCP") == "TCP"]
    return ServiceTarget(None, addresses, tuple(tcp) if addresses else ())


def objection(name: str, service: Object | None) -> str | None:
    """Why a Service cannot be a target; None: it can. Pure."""
    if service is None:
        return f'there is no Service "{name}" in this namespace'
    spec = service.get("spec", {})
    labels = service.get("metadata", {}).get("labels") or {}
    if labels.get(PART_OF) == OURS and labels.get(ROLE) in _NOT_FOR_EVENTS:
        return f'Service "{name}" is Hookplane\'s own: nothing is sent there'
    if spec.get("type") == "ExternalName":
        return f'Service "{name}" is an ExternalName, which can lead anywhere; use target.url'
    if not spec.get("selector"):
        return f'Service "{name}" has no selector, so it can lead anywhere; use target.url'
    return None


def _is_refused(target: ServiceTarget) -> bool:
    return target.objection is not None
