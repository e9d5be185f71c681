"""A gateway's store on a real PostgreSQL, and what is in force there; the cluster is played."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from kubernetes.aio.client.configuration import Configuration
from prometheus_client import CollectorRegistry

from hookplane.applied_config import AppliedConfig
from hookplane.clock import SystemClock
from hookplane.compile.model import ObjectKey
from hookplane.config.subscription import SubscriptionConfig
from hookplane.kinds.base import API_VERSION
from hookplane.kinds.gateway import WebhookGateway
from hookplane.manifests.objects import parse_object
from hookplane.sealing import Sealer
from hookplane.secret import Secret
from hookplane.store.config_store import ConfigKind
from hookplane.store.postgres.driver import PostgresStore
from hookplane_operator.config.generated import GeneratedSecrets
from hookplane_operator.config.reconcile import LOOKED_THROUGH, Configurator
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError, Forbidden
from hookplane_operator.kube.kinds import Object
from hookplane_operator.kube.objects import Objects
from hookplane_operator.metrics import Metrics
from hookplane_operator.referred.polling_cache import Name
from hookplane_operator.referred.secrets import secrets_in_use
from hookplane_operator.referred.services import services_in_use
from hookplane_operator.state.runtime import GatewayRuntime
from support.clocks.manual import ManualClock
from support.postgres.server import database

SEALERS = dict.fromkeys(ConfigKind, Sealer({"a": b"k" * 32}, "a"))
CLOCK = SystemClock()
TOKEN = {"secretKeyRef": {"name": "not-there", "key": "token"}}


def body(name: str, generation: int = 1, kind: str = "WebhookSubscription") -> dict[str, Any]:
    """A subscription without keys, or a gateway."""
    metadata = {
        "namespace": "shop",
        "name": name,
        "uid": f"uid-{name}",
        "generation": generation,
        "resourceVersion": str(generation),
    }
    dsn = {"secretKeyRef": {"name": "database", "key": "dsn"}}
    specs = {
        "WebhookGateway": {"store": {"postgresql": {"dsn": dsn}}},
        "WebhookEndpoint": {
            "provider": "Generic",
            "eventType": {"header": "x-type"},
            "verification": {"bearer": {"tokens": [TOKEN]}},
        },
        "WebhookSubscription": {
            "endpointSelector": {"matchLabels": {"app": "shop"}},
            "target": {"url": f"https://shop.example.com/{generation}"},
            "signing": {"scheme": "None"},
        },
    }
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": specs[kind]}


class Place:
    """One gateway's store and what is in the cluster."""

    def __init__(self, store: PostgresStore, kube: Kube) -> None:
        self.store = store
        self.kube = kube
        self.objects = Objects()
        self.clock = ManualClock(CLOCK.now())
        self.namespaces: dict[str, str | None] = {}
        """Name → uid, where it is another than usual; None: there is none."""
        self.namespaces_forbidden = False
        self.refused: set[Name] = set()
        self.meanwhile: Callable[[], None] = lambda: None
        """Called whenever a Service is read."""
        self.configurator = self.make_configurator()

    def make_configurator(self, looked_through: int = LOOKED_THROUGH) -> Configurator:
        secrets = secrets_in_use(_nothing, self.clock, lambda _: None)
        return Configurator(
            self.objects,
            secrets,
            services_in_use(self._service, self.clock, lambda _: None),
            GeneratedSecrets(self.kube, secrets, self.clock, self.objects.has),
            self.clock,
            lambda *_: True,
            dict,
            self._namespace,
            looked_through,
        )

    def put(self, name: str, generation: int = 1) -> ObjectKey:
        self.objects.put("WebhookSubscription", body(name, generation))
        return ObjectKey("WebhookSubscription", "shop", name)

    def put_endpoint(self, name: str) -> ObjectKey:
        made = body(name, kind="WebhookEndpoint")
        made["metadata"]["labels"] = {"app": "shop"}
        self.objects.put("WebhookEndpoint", made)
        return ObjectKey("WebhookEndpoint", "shop", name)

    async def opened(self) -> GatewayRuntime:
        gateway = parse_object(body("default", kind="WebhookGateway")).value
        assert isinstance(gateway, WebhookGateway)
        applied = await AppliedConfig.load(self.store, SEALERS)
        return GatewayRuntime(gateway, Secret("dsn"), self.store, applied)

    async def _namespace(self, name: str) -> Object | None:
        if self.namespaces_forbidden:
            raise Forbidden(403, "no")
        uid = self.namespaces.get(name, f"uid-of-{name}")
        return None if uid is None else {"metadata": {"name": name, "uid": uid}}

    async def _service(self, name: Name) -> Object | None:
        self.meanwhile()
        if name in self.refused:
            raise ApiError(403, "not allowed")
        return {"spec": {"selector": {"app": "web"}}}

    def put_for_service(self, name: str, service: str) -> ObjectKey:
        made = body(name)
        made["spec"]["target"] = {"serviceRef": {"name": service, "port": 80}}
        self.objects.put("WebhookSubscription", made)
        return ObjectKey("WebhookSubscription", "shop", name)

    async def in_force(self) -> dict[str, int]:
        """Name → generation, as the store has it."""
        applied = await AppliedConfig.load(self.store, SEALERS)
        found = [x for x in applied.documents.values() if isinstance(x, SubscriptionConfig)]
        return {x.name: x.generation for x in found}


async def _nothing(_: Name) -> None:
    return None


def nowhere() -> Kube:
    """A client that is never asked."""
    return Kube(Configuration(), Metrics(CollectorRegistry()))


@asynccontextmanager
async def place() -> AsyncIterator[Place]:
    """With a database of its own."""
    kube = nowhere()
    async with database() as settings:
        store = await PostgresStore.open(settings, CLOCK)
        try:
            yield Place(store, kube)
        finally:
            await store.close()
            await kube.close()
