"""Everything that the operator sees: a reflector for each kind and namespace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from hookplane.pacing.run_forever import run_forever
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.kinds import (
    BOUNDS,
    CHILDREN,
    ENDPOINT,
    GATEWAY,
    NAMESPACE,
    REPLAY,
    SECRET,
    SUBSCRIPTION,
    USER_KINDS,
    Resource,
)
from hookplane_operator.kube.names import GATEWAY_LABEL
from hookplane_operator.settings import Scope
from hookplane_operator.watch.knowledge import Knowledge
from hookplane_operator.watch.optional import OptionalApis
from hookplane_operator.watch.reflector import Reflector, Saw

_NEEDS: Final = {
    SUBSCRIPTION.kind: frozenset({ENDPOINT.kind}),
    REPLAY.kind: frozenset({ENDPOINT.kind, SUBSCRIPTION.kind}),
}
"""Kind → kinds that it refers to. It is not compiled before those were listed: an object that was
not seen yet would be taken for deleted."""

_log = logging.getLogger("hookplane.operator")


class Watcher:
    """Of one replica, whether it leads or not."""

    def __init__(
        self,
        kube: Kube,
        scope: Scope,
        saw: Saw,
        listed: Callable[[], None],
        knowledge: Knowledge,
        failed: Callable[[], object],
        *,
        secrets: bool,
    ) -> None:
        """`listed`: called when `held` may have changed. `failed`: when a watch ends with an error
        of ours; it is begun again, and no other one ends. `secrets`: whether they are watched."""
        self._knowledge = knowledge
        self._make = partial(_reflectors, kube, saw, knowledge, listed)
        self._listings = listings(scope, secrets=secrets)
        self._reflectors = [x for listing in self._listings for x in self._make(listing)]
        self._failed = failed
        self.optional = OptionalApis(kube, scope.gateways, partial(self._optional, scope), failed)
        self.filled = False
        """All that could be listed was."""

    @property
    def held(self) -> frozenset[str]:
        """Kinds that are not to be compiled yet."""
        needed = {need for needs in _NEEDS.values() for need in needs}
        unlisted = {kind for kind in needed if not self._knowledge.has_listed(kind)}
        return frozenset(kind for kind, needs in _NEEDS.items() if needs & unlisted)

    async def fill(self) -> None:
        """Until what the operator cannot do without was listed. What of users' cannot be listed
        stops nothing else."""
        needed = {x.resource for x in self._listings if x.needed}
        for reflector in self._reflectors:
            is_needed = reflector.source.resource in needed
            await (reflector.listed if is_needed else reflector.tried).wait()
        await self.optional.look()
        self.filled = True
        missing = [x.resource for x in self._listings if not self._has(x.resource)]
        part = f", but for {', '.join(x.plural for x in missing)}" if missing else ""
        _log.info("the caches are filled%s", part)

    async def run(self) -> None:
        """Watches until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.optional.run())
            for reflector in self._reflectors:
                tasks.create_task(run_forever("watches", reflector.run, self._failed))

    def _has(self, resource: Resource) -> bool:
        return self._knowledge.has_listed(resource.kind)

    def _optional(self, scope: Scope, resource: Resource) -> list[Reflector]:
        return self._make(Listing(resource, scope.gateways, GATEWAY_LABEL))


class Listing(NamedTuple):
    """Where all objects of a kind are found that the operator looks at."""

    resource: Resource
    namespaces: tuple[str | None, ...]
    selector: str = ""
    needed: bool = True
    """Whether nothing can be done without it."""
    counts: bool = True
    """Whether who does not see it is not informed."""


def listings(scope: Scope, *, secrets: bool) -> list[Listing]:
    """Of all kinds that a cluster must have. `secrets`: those, too. Pure."""
    found = [Listing(GATEWAY, scope.gateways)]
    found += [] if scope.user_namespaces else [Listing(NAMESPACE, (None,))]
    children = [x for x in CHILDREN.values() if not x.optional]
    found += [Listing(x, scope.gateways, GATEWAY_LABEL) for x in children]
    found += [Listing(x, scope.gateways, needed=False, counts=False) for x in BOUNDS]
    users = (*USER_KINDS, SECRET) if secrets else USER_KINDS
    return found + [Listing(x, scope.lists, needed=False) for x in users]


def _reflectors(
    kube: Kube, saw: Saw, knowledge: Knowledge, listed: Callable[[], None], listing: Listing
) -> list[Reflector]:
    return [
        Reflector(
            kube,
            knowledge.source(listing.resource, x, counts=listing.counts),
            listing.selector,
            saw,
            knowledge,
            listed,
        )
        for x in listing.namespaces
    ]
