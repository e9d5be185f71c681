"""A receiver of one's own on a store that is thrown away, and a request to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from prometheus_client import CollectorRegistry

from hookplane.clock import Clock
from hookplane.compile.model import Options, local_uid
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import HookplaneError
from hookplane.filters.event import EventView
from hookplane.reporting.activity import ActivityLog
from hookplane.store.sqlite.driver import SQLiteStore
from hookplane_cli.local.reload import Reloader
from hookplane_cli.local.report import CheckReport
from hookplane_cli.local.secret_files import SecretFiles, open_sealer
from hookplane_cli.trigger_request import TriggerRequest
from hookplane_console.trigger import SampleWish
from hookplane_receiver.ingress.server import IngressLimits
from hookplane_receiver.receiver import Receiver
from hookplane_receiver.settings import ReceiverSettings

_HERE: Final = "127.0.0.1"
_LARGEST: Final = 1 << 40


class NotInForce(HookplaneError):
    """There is no such endpoint, or its manifest is wrong; `report` says what is."""

    def __init__(self, name: str, report: CheckReport) -> None:
        super().__init__(f"there is no endpoint {name} that could be tried")
        self.report = report


@dataclass(frozen=True, slots=True)
class Taken:
    """What the endpoint made of a request."""

    type: str
    """Of the event that was sent."""
    status_code: int
    reason: str
    """Why it was not accepted; empty: it was."""
    detail: str
    event: EventView | None
    """As it would be stored; None: it was not accepted."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """An endpoint with those that read it, and what it made of a request."""

    endpoint: EndpointConfig
    taken: Taken
    readers: tuple[SubscriptionConfig, ...]
    report: CheckReport
    """On all the manifests."""


class _Rejections(ActivityLog):
    def __init__(self) -> None:
        self.reason = self.detail = ""

    def rejected(self, endpoint: str, reason: str, detail: str, source: str) -> None:
        self.reason, self.detail = reason, detail


async def rehearse(
    sources: Sequence[Path],
    namespace: str,
    name: str,
    wish: SampleWish,
    options: Options,
    clock: Clock,
) -> Rehearsed:
    """Sends the endpoint what its provider would send. Raises NotInForce, and TriggerRefused where
    no sample can be made."""
    with TemporaryDirectory(prefix="hookplane-") as folder:
        async with _store(Path(folder), clock) as store:
            reloader = Reloader(
                sources=sources,
                store=store,
                sealer=await asyncio.to_thread(open_sealer, Path(folder)),
                generated=SecretFiles(Path(folder)),
                options=options,
                clock=clock,
            )
            report = (await reloader.load()).report
            documents = reloader.in_force
            endpoint = documents.get(local_uid("WebhookEndpoint", namespace, name))
            if not isinstance(endpoint, EndpointConfig):
                raise NotInForce(f"{namespace}/{name}", report)
            taken = await _send(store, Path(folder), endpoint, wish, clock)
    known = sorted(documents.values(), key=lambda x: (x.namespace, x.name))
    subscriptions = [x for x in known if isinstance(x, SubscriptionConfig)]
    readers = tuple(x for x in subscriptions if endpoint.uid in x.endpoints)
    return Rehearsed(endpoint, taken, readers, report)


@asynccontextmanager
async def _store(folder: Path, clock: Clock) -> AsyncIterator[SQLiteStore]:
    store = await SQLiteStore.open(folder, clock)
    try:
        yield store
    finally:
        await store.close()


async def _send(
    store: SQLiteStore, folder: Path, endpoint: EndpointConfig, wish: SampleWish, clock: Clock
) -> Taken:
    rejections = _Rejections()
    receiver = Receiver(
        store=store,
        sealer=open_sealer(folder),
        clock=clock,
        activity=rejections,
        registry=CollectorRegistry(),
        settings=ReceiverSettings(
            listen=f"{_HERE}:0", trusted_proxies=(_HERE,), limits=IngressLimits()
        ),
    )
    url = await receiver.start()
    try:
        sent = await TriggerRequest(url, clock)(endpoint, _from_allowed(endpoint, wish))
    finally:
        await receiver.stop(0)
    event = await _stored(store, endpoint)
    return Taken(sent.type, sent.status_code, rejections.reason, rejections.detail, event)


def _from_allowed(endpoint: EndpointConfig, wish: SampleWish) -> SampleWish:
    """Comes from an address that may send, where not all may."""
    if not endpoint.sources:
        return wish
    address = endpoint.sources[0].partition("/")[0]
    return replace(wish, headers=(("x-forwarded-for", address), *wish.headers))


async def _stored(store: SQLiteStore, endpoint: EndpointConfig) -> EventView | None:
    for entry, content in await store.read_events(endpoint.uid, 0, 1, _LARGEST):
        if content is not None:
            return EventView(
                entry.event_id,
                entry.type,
                endpoint.name,
                endpoint.namespace,
                entry.received,
                content.headers,
                content.body,
                entry.key,
            )
    return None
