"""APIs that a cluster may be without: looked for every minute, watched while they are there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from hookplane.pacing.run_forever import run_forever
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError
from hookplane_operator.kube.kinds import OPTIONAL, Resource
from hookplane_operator.watch.reflector import Reflector

LOOK_SECONDS: Final = 60.0

_log = logging.getLogger("hookplane.operator")

Reflectors = Callable[[Resource], list[Reflector]]
"""Makes those of a kind, one for each namespace."""


class OptionalApis:
    """Every replica watches them, also one that does not lead."""

    def __init__(
        self,
        kube: Kube,
        namespaces: tuple[str, ...],
        reflectors: Reflectors,
        failed: Callable[[], object],
    ) -> None:
        """`namespaces`: where to look, at least one. `failed`: called when a watch ends with an
        error of ours; it is begun again."""
        self._kube = kube
        self._namespaces = namespaces
        self._reflectors = reflectors
        self._failed = failed
        self._there: dict[str, list[Reflector]] = {}
        self._watches: dict[str, list[asyncio.Task[None]]] = {}
        self._looking = asyncio.Lock()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                await self.look()
        finally:
            for kind in list(self._watches):
                await self._end(kind)

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
            if not await self._kube.is_served(resource, self._namespaces[0]):
                await self._forget(resource)
                return False
            await self._watch(resource)
            return True

    async def _watch(self, resource: Resource) -> None:
        if resource.kind in self._watches:
            return
        if resource.kind not in self._there:
            self._there[resource.kind] = self._reflectors(resource)
        for reflector in self._there[resource.kind]:
            await reflector.list()
        self._watches[resource.kind] = [
            asyncio.create_task(run_forever("watches", x.run, self._failed))
            for x in self._there[resource.kind]
        ]

    async def _forget(self, resource: Resource) -> None:
        await self._end(resource.kind)
        for reflector in self._there.pop(resource.kind, []):
            reflector.withdraw()

    async def _end(self, kind: str) -> None:
        watches = self._watches.pop(kind, [])
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
