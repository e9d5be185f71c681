"""A front door on a real store, and what tests send to it."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import aiohttp
from prometheus_client import CollectorRegistry
from yarl import URL

from hookplane.clock import Millis
from hookplane.compile.change import ConfigDiff
from hookplane.config.endpoint import EndpointConfig, Source, operational_endpoint
from hookplane.providers import registry
from hookplane.sealing import Sealer
from hookplane.secret import Secret
from hookplane.store.config_store import ConfigKind
from hookplane.store.queries import EndpointStats, EventRow, Page
from hookplane.store.sqlite.driver import SQLiteStore
from hookplane.tracing import Tracer
from hookplane_receiver.ingress.server import IngressLimits
from hookplane_receiver.receiver import Receiver
from hookplane_receiver.settings import QuotaSettings, ReceiverSettings, TlsSettings
from support.clocks.manual import ManualClock
from support.clocks.until import until
from support.planes.activity import RecordingActivityLog

NOW: Final[Millis] = 1_700_000_000_000
WHSEC: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def endpoint(name: str, provider: str = "StandardWebhooks", **changes: Any) -> EndpointConfig:
    """An endpoint as compile makes it from a preset; `keys` are plain texts."""
    preset = registry.get(provider)
    keys = tuple(Secret(key) for key in changes.pop("keys", [WHSEC]))
    variant = preset.variant(keys)
    facts: dict[str, Any] = {
        "uid": f"webhookendpoints/default/{name}",
        "namespace": "default",
        "name": name,
        "path": f"/default/{name}",
        "provider": provider,
        "keys": keys,
        "signature": variant.signature,
        "dedup_key": variant.dedup_key,
        "event_type": preset.event_type,
        "handshake": preset.handshake,
        "answer": preset.answer,
        "answers": dict(preset.answers),
    }
    return EndpointConfig(**(facts | changes))


def operational() -> EndpointConfig:
    """The built-in endpoint of the namespace `default`."""
    return EndpointConfig(
        uid=operational_endpoint("default"),
        namespace="default",
        name="operational",
        path="",
        provider="Operational",
        builtin=True,
        event_type=Source(value="unknown"),
    )


@dataclass
class Answered:
    """What a client got."""

    status: int
    body: bytes
    headers: dict[str, str]

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Door:
    """A running receiver and everything around it."""

    url: str
    receiver: Receiver
    store: SQLiteStore
    sealer: Sealer
    clock: ManualClock
    activity: RecordingActivityLog
    registry: CollectorRegistry
    client: aiohttp.ClientSession
    tls_url: str = ""
    store_lost: bool = False

    async def configure(self, *endpoints: EndpointConfig, gone: tuple[str, ...] = ()) -> None:
        """Writes endpoints into the store and waits until the door knows them."""
        change = ConfigDiff(created=endpoints).rows(lambda _: self.sealer)
        change = replace(change, deletes=tuple((ConfigKind.ENDPOINT, uid) for uid in gone))
        version = await self.store.apply_config(change)
        await until(lambda: self.receiver.version >= version, "the receiver to have the config")

    async def send(
        self,
        path: str,
        body: bytes = b"{}",
        headers: list[tuple[str, str]] | None = None,
        method: str = "POST",
        tls: ssl.SSLContext | None = None,
    ) -> Answered:
        """One request, with the path and the body as they are given; `tls`: over https. Connections
        are kept for each `tls`."""
        async with self.client.request(
            method,
            URL((self.tls_url if tls else self.url) + path, encoded=True),
            ssl=tls or True,
            data=body if method == "POST" else None,
            headers=headers or [],
            skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
        ) as response:
            answer = await response.read()
            return Answered(response.status, answer, dict(response.headers))

    async def lose_store(self) -> None:
        """From now on every call of the store fails."""
        self.store_lost = True
        await self.store.close()

    async def events(self, name: str) -> list[EventRow]:
        """What is stored of an endpoint, newest first."""
        return (await self.store.events(Page(), log_id=f"webhookendpoints/default/{name}")).rows

    async def status(self, name: str) -> EndpointStats:
        [status] = await self.store.endpoint_stats([f"webhookendpoints/default/{name}"])
        return status


@asynccontextmanager
async def open_door(
    folder: Path,
    *endpoints: EndpointConfig,
    clock: ManualClock | None = None,
    trusted_proxies: tuple[str, ...] = (),
    limits: IngressLimits | None = None,
    quotas: QuotaSettings | None = None,
    tls: TlsSettings | None = None,
    tracer: Tracer | None = None,
) -> AsyncIterator[Door]:
    """A receiver on a store of its own, serving these endpoints on a free port."""
    clock = clock or ManualClock()
    store = await SQLiteStore.open(folder, clock)
    sealer = Sealer({"k1": b"\x01" * 32}, "k1")
    activity, registry = RecordingActivityLog(), CollectorRegistry()
    receiver = Receiver(
        store=store,
        sealer=sealer,
        clock=clock,
        activity=activity,
        registry=registry,
        settings=ReceiverSettings(
            "127.0.0.1:0",
            trusted_proxies,
            limits or IngressLimits(),
            quotas or QuotaSettings(),
            tls,
        ),
        tracer=tracer,
    )
    async with aiohttp.ClientSession(auto_decompress=False) as client:
        door = Door("", receiver, store, sealer, clock, activity, registry, client)
        try:
            door.url = await receiver.start()
            door.tls_url = receiver.tls_url
            await door.configure(*endpoints)
            yield door
        finally:
            await receiver.stop(1000)
            if not door.store_lost:
                await store.close()
