"""APIs that a cluster may be without: looked for every minute, watched while they are there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError, NotFound
from hookplane_operator.kube.kinds import OPTIONAL, Object, Resource
from hookplane_operator.kube.objects import Objects, key_of, uid_of
from hookplane_operator.watch.informer import Informer

LOOK_SECONDS: Final = 60.0
SERVED_SECONDS: Final = 5.0

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
        """`selector`: label of all objects that belong to a gateway."""
        self._kube = kube
        self._objects = objects
        self._namespaces = namespaces
        self._selector = selector
        self._saw = saw
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._looking = asyncio.Lock()
        self._interrupted = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self._pause()
                await self.look()
        finally:
            for watch in self._watches.values():
                watch.cancel()
            await asyncio.gather(*self._watches.values(), return_exceptions=True)

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
            self._watch(resource)
            return True

    async def _pause(self) -> None:
        """Shorter when a watch was interrupted: what was deleted meanwhile is told by nobody."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._interrupted.wait()
        self._interrupted.clear()

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

    def _watch(self, resource: Resource) -> None:
        if resource.kind in self._watches:
            return
        informer = Informer(
            (resource,),
            self._namespaces,
            self._saw,
            lambda _: self._interrupted.set(),
            lambda: self._served(resource),
            {resource.kind: self._selector},
            scan=False,
        )
        self._watches[resource.kind] = asyncio.create_task(informer.run())

    async def _served(self, resource: Resource) -> None:
        """Returns when there is something to watch."""
        while True:
            with contextlib.suppress(ApiError):
                if await self._kube.is_served(resource, next(iter(self._namespaces), None)):
                    return
            await asyncio.sleep(SERVED_SECONDS)

    async def _forget(self, resource: Resource) -> None:
        for body in self._objects.all(resource.kind):
            self._objects.drop(key_of(resource.kind, body))
        watch = self._watches.pop(resource.kind, None)
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
