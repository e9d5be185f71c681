"""Receiver, dispatcher and console on one SQLite store, from manifests."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Final

import click
from prometheus_client import CollectorRegistry

from hookplane.clock import Clock, Millis
from hookplane.reporting.activity import ActivityLog
from hookplane.sealing import Sealer
from hookplane.store.protocol import Store
from hookplane.store.sqlite.driver import SQLiteStore
from hookplane_cli.activity.log import open_activity_log
from hookplane_cli.all_in_one.announcer import Announcer
from hookplane_cli.all_in_one.banner import banner
from hookplane_cli.all_in_one.settings import RunSettings
from hookplane_cli.client.run_file import run_file
from hookplane_cli.local.follow import Follower
from hookplane_cli.local.reload import Reloader
from hookplane_cli.local.secret_files import SecretFiles, open_sealer
from hookplane_cli.options import authority, taken
from hookplane_cli.serving.loop import calm_collector, until
from hookplane_cli.serving.retention import keep_tidy
from hookplane_cli.trigger_request import TriggerRequest
from hookplane_console.console import Console
from hookplane_dispatcher.dispatcher import Dispatcher
from hookplane_dispatcher.egress.aiohttp_client import AiohttpEgress
from hookplane_dispatcher.egress.guard import AddressGuard
from hookplane_dispatcher.settings import DispatcherSettings
from hookplane_receiver.receiver import Receiver
from hookplane_receiver.settings import ReceiverSettings

GRACE: Final[Millis] = 10_000
"""Requests and deliveries under way get this long when everything stops."""


async def serve(settings: RunSettings, clock: Clock, stopped: asyncio.Event) -> None:
    """Until `stopped`. Raises what keeps it from starting: StoreLocked, SecretUnreadable,
    StoreUnavailable, OSError, click.ClickException."""
    announcer = Announcer(settings.style, sys.stdout, sys.stderr, clock)
    async with AsyncExitStack() as stack:
        store = await SQLiteStore.open(settings.data, clock)
        stack.push_async_callback(store.close)
        sealer = open_sealer(settings.data)
        reloader = _reloader(settings, store, sealer, clock)
        await reloader.restore()
        loaded = await reloader.load()
        announcer.first(loaded)
        activity = stack.enter_context(_activity(settings.style, clock))
        parts = _Parts(settings, store, sealer, clock, activity)
        url, admin = await stack.enter_async_context(parts.running())
        tls_url = parts.tls_url
        facts = stack.enter_context(run_file(settings.data, url, admin, tls_url))
        lines = banner(settings, reloader.in_force.values(), loaded, url, admin, tls_url)
        announcer.ready(lines, facts)
        calm_collector()
        follower = Follower(reloader, clock, announcer.loaded, announcer.trouble)
        await until(
            stopped,
            follower.run(settings.sources, loaded.again_at),
            keep_tidy(store, settings.retention, clock, parts.registry),
        )
        announcer.stopping()


def _reloader(settings: RunSettings, store: Store, sealer: Sealer, clock: Clock) -> Reloader:
    return Reloader(
        sources=settings.sources,
        store=store,
        sealer=sealer,
        generated=SecretFiles(settings.data),
        options=settings.options(),
        clock=clock,
    )


@contextmanager
def _activity(style: str, clock: Clock) -> Iterator[ActivityLog]:
    activity = open_activity_log(style, sys.stdout, clock=clock)
    try:
        yield activity
    finally:
        activity.close()


class _Parts:
    """The planes and the console of one process."""

    def __init__(
        self,
        settings: RunSettings,
        store: Store,
        sealer: Sealer,
        clock: Clock,
        activity: ActivityLog,
    ) -> None:
        self._settings = settings
        self._store = store
        self._sealer = sealer
        self._clock = clock
        registry = CollectorRegistry()
        self.registry = registry
        self._receiver = Receiver(
            store=store,
            sealer=sealer,
            clock=clock,
            activity=activity,
            registry=registry,
            settings=ReceiverSettings(
                listen=authority(settings.listen),
                trusted_proxies=settings.trusted_proxies,
                tls=settings.tls,
            ),
        )
        self._egress = AiohttpEgress(
            guard=AddressGuard(loopback=True, allowed=settings.allowed_ranges)
        )
        self._dispatcher = Dispatcher(
            store=store,
            sealer=sealer,
            egress=self._egress,
            clock=clock,
            random=random.Random(),  # noqa: S311 - chance, not secrecy
            activity=activity,
            registry=registry,
            settings=DispatcherSettings(),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[str, str]]:
        """URLs of receiver and console. Whatever can be in the way is found before anything is
        sent; all end in the order that data flows."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._egress.close)
            stack.push_async_callback(self._dispatcher.stop, GRACE)
            stack.push_async_callback(self._receiver.stop, GRACE)
            url = await self._open_door()
            console = self._console(url)
            stack.push_async_callback(console.stop)
            admin = await _bound(console.start(), self._settings.admin, "--admin")
            await self._dispatcher.start()
            yield url, admin

    @property
    def tls_url(self) -> str:
        return self._receiver.tls_url

    async def _open_door(self) -> str:
        settings = self._settings
        if settings.tls is None:
            return await _bound(self._receiver.start(), settings.listen, "--listen")
        try:
            return await self._receiver.start()
        except OSError as error:
            raise click.ClickException(f"--listen, --tls-listen: {error.strerror}") from error

    def _console(self, url: str) -> Console:
        return Console(
            store=self._store,
            sealer=self._sealer,
            clock=self._clock,
            registry=self.registry,
            listen=authority(self._settings.admin),
            health=self._health,
            trigger=TriggerRequest(url, self._clock),
            receiver_url=url,
        )

    def _health(self) -> dict[str, bool]:
        return {"receiver": self._receiver.ready, "dispatcher": self._dispatcher.ready}


async def _bound(start: Awaitable[str], address: tuple[str, int], option: str) -> str:
    try:
        return await start
    except OSError as error:
        raise taken(address, option, error) from error
