"""APIs that a cluster may be without: looked for every minute, watched while they are there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from hookplane_operator.informer import Informer
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError, NotFound
from hookplane_operator.kube.kinds import OPTIONAL, Object, Resource
from hookplane_operator.objects import Objects, key_of, uid_of

LOOK_SECONDS: Final = 60.0

_log = logging.getLogger("hookplane.operator")


class OptionalApis:
    """Every replica watches them, also one that does not lead."""

    def __init__(
        self,
        kube: Kube,
        objects: Objects,
        namespaces: tuple[str, ...],
        selector: str,
        saw: Callable[[str, str | None, Object], None],
    ) -> None:
        """`selector`: label that what is ours has."""
        self._kube = kube
        self._objects = objects
        self._namespaces = namespaces
        self._selector = selector
        self._saw = saw
        self._informers: dict[str, Informer] = {}
        self._looking = asyncio.Lock()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """For all of them."""
        for resource in OPTIONAL:
            try:
                await self.has(resource)
            except ApiError as error:
                _log.warning("%s cannot be listed: %s", resource.plural, error)

    async def has(self, resource: Resource) -> bool:
        """Whether it is there now; what there is of ours is known then. Raises ApiError."""
        async with self._looking:
            try:
                await self._list(resource)
            except NotFound:
                await self._forget(resource)
                return False
            await self._watch(resource)
            return True

    async def stop(self) -> None:
        while self._informers:
            await self._informers.popitem()[1].stop()

    async def _list(self, resource: Resource) -> None:
        known = {uid_of(x): x for x in self._objects.all(resource.kind)}
        for namespace in self._namespaces:
            async for body in self._kube.list(resource, namespace, selector=self._selector):
                known.pop(uid_of(body), None)
                body.setdefault("kind", resource.kind)
                body.setdefault("apiVersion", resource.api_version)
                self._saw(resource.kind, None, body)
        for gone in known.values():
            key = key_of(resource.kind, gone)
            if self._objects.get(key) is gone:
                self._objects.drop(key)

    async def _watch(self, resource: Resource) -> None:
        informer = self._informers.get(resource.kind)
        if informer is not None and not informer.ended:
            return
        selectors = {resource.kind: self._selector}
        informer = Informer((resource,), self._namespaces, self._saw, selectors, scan=False)
        self._informers[resource.kind] = informer
        informer.start()

    async def _forget(self, resource: Resource) -> None:
        for body in self._objects.all(resource.kind):
            self._objects.drop(key_of(resource.kind, body))
        informer = self._informers.pop(resource.kind, None)
        if informer is not None:
            await informer.stop()
