"""Who is made again goes on where its predecessor was.

A uid never comes back, but a name in a namespace does (`kubectl replace --force`, delete and
apply). The namespace counts by its own uid: one of the same name may be another tenant's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from hookplane.compile.change import Configured, kind_of
from hookplane.compile.model import ObjectKey
from hookplane.config.endpoint import EndpointConfig
from hookplane.store.config_store import ConfigKind
from hookplane_operator.kube.errors import Forbidden
from hookplane_operator.kube.kinds import NAMESPACE, Object
from hookplane_operator.kube.objects import Objects
from hookplane_operator.state.runtime import GatewayRuntime

RESTORED: Final = "hookplane.dev/restored-namespaces"
"""Annotation of a gateway: `name=uid` for each namespace that was restored, with the uid that it
had before; commas between them."""


@dataclass
class Succession:
    """Where the objects of one round live, and whom they take over from."""

    places: dict[tuple[ConfigKind, str], str] = field(default_factory=dict)
    """Kind and uid → place, where the store does not know it yet."""
    predecessors: dict[str, str] = field(default_factory=dict)
    """Uid → uid of the one that was there before."""

    @property
    def heirs(self) -> Mapping[str, str]:
        """The same the other way round."""
        return {before: now for now, before in self.predecessors.items()}


class Successions:
    """For all gateways."""

    def __init__(
        self, objects: Objects, namespace: Callable[[str], Awaitable[Object | None]]
    ) -> None:
        """`namespace`: asks the API server for one; None: there is none. Raises ApiError."""
        self._objects = objects
        self._namespace = namespace

    async def find(self, runtime: GatewayRuntime, documents: Iterable[Configured]) -> Succession:
        """Raises ApiError."""
        found, asked = Succession(), dict[str, str]()
        for document in documents:
            if not (isinstance(document, EndpointConfig) and document.builtin):
                await self._add(runtime, document, found, asked)
        return found

    async def _add(
        self,
        runtime: GatewayRuntime,
        document: Configured,
        found: Succession,
        asked: dict[str, str],
    ) -> None:
        """Before somebody takes over, the API server itself says which namespace this is: what was
        seen of it may be older than the object."""
        namespace = self._seen(document.namespace)
        if not namespace and not runtime.applied.places.get(document.uid):
            namespace = await self._ask(document.namespace, asked)
        if self._predecessor(runtime, document, namespace):
            namespace = await self._ask(document.namespace, asked)
        if predecessor := self._predecessor(runtime, document, namespace):
            found.predecessors[document.uid] = predecessor
        place = _place(namespace, document)
        if place and place != runtime.applied.places.get(document.uid):
            found.places[kind_of(document), document.uid] = place

    def _seen(self, namespace: str) -> str:
        body = self._objects.get(ObjectKey(NAMESPACE.kind, "", namespace))
        return "" if body is None else str(body["metadata"]["uid"])

    async def _ask(self, namespace: str, asked: dict[str, str]) -> str:
        """Its uid; empty: it is gone, or we may not read it."""
        if namespace not in asked:
            try:
                body = await self._namespace(namespace)
            except Forbidden:
                body = None
            asked[namespace] = "" if body is None else str(body["metadata"]["uid"])
        return asked[namespace]

    def _predecessor(self, runtime: GatewayRuntime, document: Configured, namespace: str) -> str:
        """Its uid; empty: there is none. One that still lives has no successor."""
        kind, former = kind_of(document), _restored(runtime).get(document.namespace, "")
        for place in (_place(namespace, document), _place(former, document)):
            found = runtime.applied.predecessor(kind, place, document.uid)
            if found and not self._objects.has(found):
                return found
        return ""


def _place(namespace: str, document: Configured) -> str:
    return f"{namespace}/{document.name}" if namespace else ""


def _restored(runtime: GatewayRuntime) -> Mapping[str, str]:
    """Name of each namespace that was restored → uid that it had before."""
    text = runtime.gateway.metadata.annotations.get(RESTORED, "")
    pairs = (pair.partition("=") for pair in text.split(","))
    return {name.strip(): uid.strip() for name, _, uid in pairs}
