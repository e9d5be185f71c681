"""Brings the objects that a gateway is made of to what they are to be: every one is tried, whatever
becomes of the others."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Sequence
from typing import Final

from hookplane.compile.model import ObjectKey
from hookplane.kinds.gateway import WebhookGateway
from hookplane_operator.gateways.drift import has_drifted
from hookplane_operator.gateways.refusals import ChildRefusal, is_left_over, of_live, refused
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError
from hookplane_operator.kube.kinds import CHILDREN, DEPLOYMENT, Object
from hookplane_operator.kube.objects import Objects, key_of, uid_of

SCALER: Final = "hookplane-autoscaling"
"""Field manager that keeps the count of pods while somebody else decides on it."""


class ChildApplier:
    """For all gateways."""

    def __init__(self, kube: Kube, objects: Objects) -> None:
        self._kube = kube
        self._objects = objects

    async def bring_about(
        self, gateway: WebhookGateway, wanted: Sequence[Object]
    ) -> list[ChildRefusal]:
        """`wanted`: stamped; what the gateway has besides is removed. Kind by kind, and those of a
        kind together, so that one that hangs holds up the others once. Raises NotLeader."""
        kinds: defaultdict[str, list[Object]] = defaultdict(list)
        for child in wanted:
            kinds[child["kind"]].append(child)
        found: list[ChildRefusal] = []
        for kind in CHILDREN:
            found += await _together(self._apply(gateway, x) for x in kinds[kind])
        others = self._others(gateway, wanted)
        return found + await _together(self._remove(kind, live) for kind, live in others)

    async def _apply(self, gateway: WebhookGateway, child: Object) -> ChildRefusal | None:
        resource, key = CHILDREN[child["kind"]], key_of(child["kind"], child)
        try:
            live = self._objects.get(key) or await self._unlabelled(key)
            if live is not None and (objection := of_live(gateway, child, live)) is not None:
                return objection
            if not has_drifted(child, live):
                return None
            if live is not None and _leaves_count(child):
                await self._keep_count(child, live)
            answer = await self._kube.apply(resource, child)
        except ApiError as error:
            return refused(child, error.said)
        # no watch tells again what an answer has told, such as that somebody deletes it
        self._objects.answered(key.kind, answer)
        return of_live(gateway, child, answer)

    async def _unlabelled(self, key: ObjectKey) -> Object | None:
        """What no watch tells of, because it has no label of ours. Raises ApiError."""
        return await self._kube.find(CHILDREN[key.kind], key.namespace, key.name)

    async def _keep_count(self, child: Object, live: Object) -> None:
        """A count that nobody owns any more would become 1."""
        metadata = {x: child["metadata"][x] for x in ("name", "namespace")}
        body = {
            "apiVersion": child["apiVersion"],
            "kind": child["kind"],
            "metadata": metadata,
            "spec": {"replicas": live["spec"].get("replicas", 1)},
        }
        await self._kube.apply(DEPLOYMENT, body, manager=SCALER)

    def _others(
        self, gateway: WebhookGateway, wanted: Iterable[Object]
    ) -> list[tuple[str, Object]]:
        """What the gateway was made of and is no more."""
        names = {(x["kind"], x["metadata"]["name"]) for x in wanted}
        return [
            (kind, live)
            for kind in CHILDREN
            for live in self._objects.all(kind, gateway.metadata.namespace)
            if is_left_over(gateway, live) and (kind, live["metadata"]["name"]) not in names
        ]

    async def _remove(self, kind: str, live: Object) -> ChildRefusal | None:
        metadata = live["metadata"]
        try:
            await self._kube.delete(
                CHILDREN[kind], metadata["namespace"], metadata["name"], uid_of(live)
            )
        except ApiError as error:
            return refused({**live, "kind": kind}, f"cannot be removed: {error.said}")
        return None


def _leaves_count(child: Object) -> bool:
    return bool(child["kind"] == DEPLOYMENT.kind and "replicas" not in child["spec"])


async def _together(works: Iterable[Awaitable[ChildRefusal | None]]) -> list[ChildRefusal]:
    """All of them to their end. Raises what the first one raised that raised anything."""
    done = await asyncio.gather(*works, return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException):
            raise one
    return [x for x in done if isinstance(x, ChildRefusal)]
