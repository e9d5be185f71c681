"""The receiver, put together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry

from hookplane.clock import Clock, Millis
from hookplane.errors import StoreError
from hookplane.pacing.run_forever import run_forever
from hookplane.process.follow import ConfigFollower, FollowedStore
from hookplane.reporting.activity import ActivityLog
from hookplane.reporting.operational import OperationalEventPublisher
from hookplane.sealing import Opener
from hookplane.store.config_store import ConfigKind
from hookplane.store.event_log import EventLog
from hookplane.store.queries import Queries
from hookplane.tracing import NoTracer, Tracer
from hookplane_receiver.addresses import Network, networks, source_of
from hookplane_receiver.admission import Admission
from hookplane_receiver.ingress.connections import SharedBounds
from hookplane_receiver.ingress.crowds import Bound
from hookplane_receiver.ingress.raw_server import RawIngress
from hookplane_receiver.ingress.server import Handler, IngressServer
from hookplane_receiver.ingress.server_certificate import ServerCertificate
from hookplane_receiver.metrics import ReceiverMetrics
from hookplane_receiver.quotas import Quotas
from hookplane_receiver.reporter import Reporter
from hookplane_receiver.router import Router
from hookplane_receiver.settings import ReceiverSettings


class ReceiverStore(EventLog, Queries, FollowedStore, Protocol):
    """What a receiver needs of a store."""


@dataclass(frozen=True, slots=True)
class _TlsDoor:
    """The port where TLS ends here, and the certificate that it shows."""

    server: IngressServer
    certificate: ServerCertificate


class Receiver:
    """Takes requests in for all endpoints in the store's config."""

    def __init__(
        self,
        *,
        store: ReceiverStore,
        sealer: Opener,
        clock: Clock,
        activity: ActivityLog,
        registry: CollectorRegistry,
        settings: ReceiverSettings,
        on_version: Callable[[], None] = lambda: None,
        tracer: Tracer | None = None,
    ) -> None:
        """`on_version`: called when a newer config version is in force. Raises ValueError when a
        trusted proxy is no address range."""
        metrics = self._metrics = ReceiverMetrics(registry)
        router = Router(metrics.endpoints, clock, activity)
        self._follower = ConfigFollower(
            store, sealer, router.apply, on_version, kinds=(ConfigKind.ENDPOINT,)
        )
        self._publisher = OperationalEventPublisher(store, clock)
        self._reporter = Reporter(store, clock, self._publisher)
        self._quotas = Quotas(settings.quotas, store, clock, metrics)
        proxies = networks(settings.trusted_proxies)
        handler = self._make_handler(
            router, store, clock, activity, metrics, tracer or NoTracer(), proxies
        )
        shed = metrics.connections_shed(Bound)
        shared = SharedBounds(settings.limits, lambda peer: source_of(peer, proxies), shed)
        metrics.watch_strangers(lambda: shared.bodies.held, lambda: len(shared.crowds))
        self._ingress = RawIngress(handler, settings.listen, settings.limits, shared=shared)
        self._tls = _tls_door(settings, handler, router, metrics, activity, shared)
        self.tls_url = ""
        """Of the port where TLS ends here; empty: there is none."""
        self._tasks: list[asyncio.Task[None]] = []
        self.ready = False
        """All configuration is loaded and the front door is open."""

    def _make_handler(
        self,
        router: Router,
        store: EventLog,
        clock: Clock,
        activity: ActivityLog,
        metrics: ReceiverMetrics,
        tracer: Tracer,
        trusted_proxies: tuple[Network, ...],
    ) -> Handler:
        """What answers the requests of every door."""
        admission = Admission(
            router=router,
            store=store,
            clock=clock,
            activity=activity,
            metrics=metrics,
            reporter=self._reporter,
            quotas=self._quotas,
            tracer=tracer,
            trusted_proxies=trusted_proxies,
        )
        return admission.handle

    @property
    def version(self) -> int:
        """The version of the configuration that is in force here."""
        return self._follower.version

    @property
    def refused(self) -> dict[str, str]:
        """Uid → why its newest document was not taken."""
        return self._follower.refused

    def share_among(self, receivers: int) -> None:
        """So many receivers, this one included, share what a namespace may send."""
        self._quotas.share_among(receivers)

    async def start(self) -> str:
        """Loads all configuration, then opens the door; returns its plain URL. Raises
        StoreUnavailable, InvalidValue for a certificate, and OSError when an address is taken."""
        if self._tls is not None:
            self._tls.certificate.load()
        await self._follower.load()
        await self._quotas.ask()
        url = await self._ingress.start()
        if self._tls is not None:
            self.tls_url = await self._tls.server.start()
        self._tasks = [
            asyncio.create_task(run_forever(name, work, self._metrics.failures(name)))
            for name, work in self._background_work().items()
        ]
        self.ready = True
        return url

    def _doors(self) -> list[IngressServer]:
        return [self._ingress] if self._tls is None else [self._ingress, self._tls.server]

    def _background_work(self) -> dict[str, Callable[[], Coroutine[None, None, None]]]:
        work = {
            "configuration": self._follower.run,
            "reports": self._reporter.run,
            "quotas": self._quotas.run,
        }
        return work if self._tls is None else work | {"certificate": self._tls.certificate.follow}

    async def leave(self, delay: Millis) -> None:
        """Goes on answering for so long, each time as the last of its connection, until those who
        send have heard that it goes: what is on its way to a connection that closes would fail."""
        self.ready = False
        for door in self._doors():
            door.leave()
        await asyncio.sleep(delay / 1000)

    async def stop(self, grace: Millis) -> None:
        """Closes the door, lets requests under way finish, and reports a last time."""
        self.ready = False
        await asyncio.gather(*(door.stop(grace) for door in self._doors()))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(StoreError):
            await self._reporter.flush()
        await self._publisher.close()


def _tls_door(
    settings: ReceiverSettings,
    handler: Handler,
    router: Router,
    metrics: ReceiverMetrics,
    activity: ActivityLog,
    shared: SharedBounds,
) -> _TlsDoor | None:
    tls = settings.tls
    if tls is None:
        return None
    certificate = ServerCertificate(
        tls.certificate, tls.key, lambda: router.asks_for_certificates, activity
    )
    metrics.watch_certificate(lambda: certificate.ends_at)
    server = RawIngress(
        handler,
        tls.listen,
        settings.limits,
        certificate.current,
        metrics.handshakes_failed.inc,
        shared,
    )
    return _TlsDoor(server, certificate)
