"""The receiver, put together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from hookplane.clock import Clock, Millis
from hookplane.errors import StoreError
from hookplane.follow import ConfigFollower
from hookplane.journal import Journal
from hookplane.operational import Notices
from hookplane.sealing import Sealer
from hookplane.store.model import ConfigKind
from hookplane.store.protocol import Store
from hookplane_receiver.addresses import networks
from hookplane_receiver.admission import Admission
from hookplane_receiver.ingress.aiohttp_server import AiohttpServer
from hookplane_receiver.metrics import ReceiverMetrics
from hookplane_receiver.quotas import Quotas
from hookplane_receiver.reporter import Reporter
from hookplane_receiver.router import Router
from hookplane_receiver.settings import ReceiverSettings


class Receiver:
    """Takes requests in for all endpoints in the store's config."""

    def __init__(
        self,
        *,
        store: Store,
        sealer: Sealer,
        clock: Clock,
        journal: Journal,
        registry: CollectorRegistry,
        settings: ReceiverSettings,
        on_version: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_version`: called when a newer config version is in force. Raises ValueError when a
        trusted proxy is no address range."""
        metrics = ReceiverMetrics(registry)
        router = Router(metrics, clock, journal)
        self._follower = ConfigFollower(
            store, sealer, router.apply, on_version, kinds=(ConfigKind.ENDPOINT,)
        )
        self._reporter = Reporter(store, clock, Notices())
        self._quotas = Quotas(settings.quotas, store, clock, metrics)
        admission = Admission(
            router=router,
            store=store,
            clock=clock,
            journal=journal,
            metrics=metrics,
            reporter=self._reporter,
            quotas=self._quotas,
            trusted_proxies=networks(settings.trusted_proxies),
        )
        self._ingress = AiohttpServer(admission.handle, settings.listen, settings.limits)
        self._tasks: list[asyncio.Task[None]] = []
        self.ready = False
        """All configuration is loaded and the front door is open."""

    @property
    def version(self) -> int:
        """The version of the configuration that is in force here."""
        return self._follower.version

    @property
    def refused(self) -> dict[str, str]:
        """Uid → why its newest document was not taken."""
        return self._follower.refused

    def among(self, receivers: int) -> None:
        """So many receivers, this one included, share what a namespace may send."""
        self._quotas.among(receivers)

    async def start(self) -> str:
        """Loads all configuration, then opens the door; returns its URL. Raises StoreUnavailable,
        and OSError when the address is taken."""
        await self._follower.load()
        await self._quotas.ask()
        url = await self._ingress.start()
        self._tasks = [
            asyncio.create_task(self._follower.run()),
            asyncio.create_task(self._reporter.run()),
            asyncio.create_task(self._quotas.run()),
        ]
        self.ready = True
        return url

    async def stop(self, grace: Millis) -> None:
        """Closes the door, lets requests under way finish, and reports a last time."""
        self.ready = False
        await self._ingress.stop(grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(StoreError):
            await self._reporter.flush()
