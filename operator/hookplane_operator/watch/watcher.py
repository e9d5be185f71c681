"""Everything that the operator sees: full lists at the start, watches from then on, and a look at
what was deleted unseen.

A watch that was interrupted for long begins again with a list. Objects that were deleted in between
are not in it, and no event tells of them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, NamedTuple

from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError, NotFound
from hookplane_operator.kube.kinds import (
    CHILDREN,
    ENDPOINT,
    GATEWAY,
    NAMESPACE,
    REPLAY,
    SECRET,
    SUBSCRIPTION,
    USER_KINDS,
    Object,
    Resource,
)
from hookplane_operator.kube.names import GATEWAY_LABEL
from hookplane_operator.kube.objects import Objects, uid_of
from hookplane_operator.settings import Scope
from hookplane_operator.watch.informer import Informer, Saw
from hookplane_operator.watch.optional import OptionalApis

LIST_RETRY_SECONDS: Final = 2.0
SERVED_RETRY_SECONDS: Final = 5.0
"""Until a CRD that is not there is looked for again."""
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
        objects: Objects,
        scope: Scope,
        saw: Saw,
        interrupted: Callable[[str], None],
        listed: Callable[[], None],
        *,
        secrets: bool,
    ) -> None:
        """`interrupted`: called with a kind whose watch began anew: `relist` it soon. `listed`:
        called when `held` has changed. `secrets`: whether they are watched."""
        self._kube = kube
        self._scope = scope
        self._saw = saw
        self._interrupted = interrupted
        self._listed = listed
        self._secrets = secrets
        self._lists = FullLists(kube, objects, scope)
        self._unlisted = {x.kind for x in USER_KINDS}
        """Kinds of which it is not known what there is."""
        self._missing: list[Listing] = []
        self.optional = OptionalApis(kube, objects, scope.gateways, GATEWAY_LABEL, saw)
        self.filled_at = 0.0
        """Seconds of the monotonic clock; 0: the caches are not filled yet."""

    @property
    def held(self) -> frozenset[str]:
        """Kinds that are not to be compiled yet."""
        return frozenset(kind for kind, needs in _NEEDS.items() if needs & self._unlisted)

    async def fill(self) -> None:
        """Full lists first, so that it is known when everything is known. A kind of users' that
        cannot be listed does not stop the others: see `complete`."""
        self._missing = listings(self._scope)
        await self._list_missing()
        while any(x.resource not in USER_KINDS for x in self._missing):
            await asyncio.sleep(LIST_RETRY_SECONDS)
            await self._list_missing()
        await self.optional.look()
        self.filled_at = time.monotonic()
        part = " in part" if self._missing else ""
        _log.info("the caches are filled%s", part)

    async def complete(self) -> None:
        """Until everything could be listed."""
        while self._missing:
            await asyncio.sleep(LIST_RETRY_SECONDS)
            await self._list_missing()

    async def run(self) -> None:
        """Watches until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.optional.run())
            for informer in self._informers():
                tasks.create_task(informer.run())

    async def relist(self, kind: str) -> None:
        """Reports as deleted whatever a full list does not have any more. Raises ApiError."""
        for body in await self._lists.missing(kind):
            self._saw(kind, "DELETED", body)

    # Watches ------------------------------------------------------------------------------------

    def _informers(self) -> list[Informer]:
        """One for each kind of ours: what befalls one of them is not to stop the others."""
        more = [] if self._scope.user_namespaces else [NAMESPACE]
        more += [SECRET] if self._secrets else []
        groups = [[x] for x in USER_KINDS] + ([more] if more else [])
        children = [x for x in CHILDREN.values() if not x.optional]
        selectors = {x.kind: GATEWAY_LABEL for x in children}
        platform = self._informer((GATEWAY, *children), self._scope.gateways, selectors)
        return [platform, *(self._informer(x, self._scope.user_namespaces) for x in groups)]

    def _informer(
        self,
        resources: Sequence[Resource],
        namespaces: tuple[str, ...],
        selectors: dict[str, str] | None = None,
    ) -> Informer:
        return Informer(
            resources,
            namespaces,
            self._saw,
            self._interrupted,
            lambda: self._served(resources[0], namespaces),
            selectors,
            scan=not self._scope.user_namespaces,
        )

    async def _served(self, resource: Resource, namespaces: tuple[str, ...]) -> None:
        """Returns when the kind is there; whether it may be listed is another matter."""
        while True:
            try:
                if await self._kube.is_served(resource, next(iter(namespaces), None)):
                    return
                _log.warning("the CRD of %s is not there", resource.plural)
            except ApiError as error:
                _log.warning("%s cannot be watched: %s", resource.plural, error)
            await asyncio.sleep(SERVED_RETRY_SECONDS)

    # Lists --------------------------------------------------------------------------------------

    async def _list_missing(self) -> None:
        self._missing = [x for x in self._missing if not await self._is_listed(x)]

    async def _is_listed(self, listing: Listing) -> bool:
        resource = listing.resource
        try:
            async for body in self._lists.read(listing):
                body.setdefault("kind", resource.kind)
                body.setdefault("apiVersion", resource.api_version)
                self._saw(resource.kind, None, body)
        except NotFound:
            _log.warning("the CRD of %s is not there yet", resource.plural)
            return False
        except ApiError as error:
            _log.warning("%s cannot be listed: %s", resource.plural, error)
            return False
        if resource.kind in self._unlisted:
            self._unlisted.discard(resource.kind)
            self._listed()
        return True


class Listing(NamedTuple):
    """Where all objects of a kind are found that the operator looks at."""

    resource: Resource
    namespaces: tuple[str | None, ...]
    selector: str = ""


def listings(scope: Scope) -> list[Listing]:
    """Of all kinds that a cluster must have; first what the others depend on. Pure."""
    found = [Listing(GATEWAY, scope.gateways)]
    found += [] if scope.user_namespaces else [Listing(NAMESPACE, (None,))]
    found += [
        Listing(x, scope.gateways, GATEWAY_LABEL) for x in CHILDREN.values() if not x.optional
    ]
    return found + [Listing(x, scope.lists) for x in USER_KINDS]


class FullLists:
    """Compares what is known with full lists."""

    def __init__(self, kube: Kube, objects: Objects, scope: Scope) -> None:
        self._kube = kube
        self._objects = objects
        self._listings = {x.resource.kind: x for x in listings(scope)}

    async def read(self, listing: Listing, *, metadata_only: bool = False) -> AsyncIterator[Object]:
        """Raises ApiError."""
        for namespace in listing.namespaces:
            async for body in self._kube.list(
                listing.resource, namespace, selector=listing.selector, metadata_only=metadata_only
            ):
                yield body

    async def missing(self, kind: str) -> list[Object]:
        """Objects that were known before and that a full list does not have. Raises ApiError."""
        if (listing := self._listings.get(kind)) is None:
            return []
        before = {uid_of(body): body for body in self._objects.all(kind)}
        try:
            async for body in self.read(listing, metadata_only=True):
                before.pop(uid_of(body), None)
        except NotFound:
            return []  # a CRD that is gone tells nothing of what was meant to go
        return list(before.values())
