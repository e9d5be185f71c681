"""Receiver, dispatcher and console on one SQLite store, from manifests."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

import click
from prometheus_client import CollectorRegistry

from hookplane.clock import Clock, Millis
from hookplane.reporting.activity import ActivityLog
from hookplane.sealing import Sealer
from hookplane.store.sqlite.driver import SQLiteStore
from hookplane_cli.activity.log import open_activity_log
from hookplane_cli.activity.strangers import Strangers
from hookplane_cli.all_in_one.announcer import Announcer
from hookplane_cli.all_in_one.banner import banner
from hookplane_cli.all_in_one.settings import RunSettings
from hookplane_cli.client.run_file import run_file
from hookplane_cli.composition import ConsoleRole, DispatcherRole, ProcessDependencies, ReceiverRole
from hookplane_cli.local.follow import Follower
from hookplane_cli.local.last_load import LastLoad
from hookplane_cli.local.reload import Reloader
from hookplane_cli.local.secret_files import SecretFiles, open_sealer
from hookplane_cli.options import address_taken, authority
from hookplane_cli.serving.loop import run_until, set_up_collector
from hookplane_dispatcher.egress.guard import AddressGuard

T = TypeVar("T")

GRACE: Final[Millis] = 10_000
"""Requests and deliveries under way get this long when everything stops."""


async def serve(settings: RunSettings, clock: Clock, stopped: asyncio.Event) -> None:
    """Serves until `stopped`. Raises StoreLocked, SecretUnreadable, StoreUnavailable, OSError or
    click.ClickException when it cannot start."""
    announcer = Announcer(settings.style, sys.stdout, sys.stderr, clock)
    async with AsyncExitStack() as stack:
        store = await SQLiteStore.open(settings.data, clock)
        stack.push_async_callback(store.close)
        sealer = open_sealer(settings.data)
        reloader = _reloader(settings, store, sealer, clock)
        await reloader.restore()
        loaded = await reloader.load()
        announcer.first(loaded)
        last = LastLoad(clock)
        last.loaded(loaded)
        activity = stack.enter_context(_activity(settings.style, clock))
        made_of = ProcessDependencies(store, sealer, clock, activity, CollectorRegistry())
        served = await stack.enter_async_context(_running(settings, made_of, last))
        facts = stack.enter_context(
            run_file(settings.data, served.url, served.admin, served.tls_url)
        )
        lines = banner(
            settings, reloader.in_force.values(), loaded, served.url, served.admin, served.tls_url
        )
        announcer.ready(lines, facts)
        set_up_collector()
        follower = Follower(
            reloader,
            clock,
            _each(announcer.loaded, last.loaded),
            _each(announcer.fault, last.fault),
        )
        await run_until(
            stopped,
            follower.run(settings.sources, loaded.again_at),
            served.dispatcher.housekeeping(),
        )
        announcer.stopping()


def _each(*told: Callable[[T], None]) -> Callable[[T], None]:
    def tell(what: T) -> None:
        for one in told:
            one(what)

    return tell


def _reloader(settings: RunSettings, store: SQLiteStore, sealer: Sealer, clock: Clock) -> Reloader:
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
    activity = open_activity_log(style, sys.stdout, clock=clock, strangers=Strangers())
    try:
        yield activity
    finally:
        activity.close()


@dataclass(frozen=True, slots=True)
class _Served:
    """What runs, and where."""

    url: str
    tls_url: str
    admin: str
    dispatcher: DispatcherRole


@asynccontextmanager
async def _running(
    settings: RunSettings, made_of: ProcessDependencies, last: LastLoad
) -> AsyncIterator[_Served]:
    """Starts the dispatcher last, so that nothing is sent unless everything can start. At the end
    parts stop in the order in which events pass them."""
    receiver = ReceiverRole(made_of, settings.receiver(), grace=GRACE)
    guard = AddressGuard(loopback=True, allowed=settings.allowed_ranges)
    dispatcher = DispatcherRole(made_of, guard, settings.retention, grace=GRACE)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(dispatcher.stop)
        stack.push_async_callback(receiver.stop)
        url, _, tls_url = (await _open_door(settings, receiver)).partition(" ")
        console = ConsoleRole(
            made_of,
            listen=authority(settings.admin),
            receiver_url=url,
            may_sign=True,
            health=lambda: {"receiver": receiver.ready, "dispatcher": dispatcher.ready},
            manifests=last.view,
        )
        stack.push_async_callback(console.stop)
        admin = await _bound(console.start(), settings.admin, "--admin")
        await dispatcher.start()
        yield _Served(url, tls_url, admin, dispatcher)


async def _open_door(settings: RunSettings, receiver: ReceiverRole) -> str:
    if settings.tls is None:
        return await _bound(receiver.start(), settings.listen, "--listen")
    try:
        return await receiver.start()
    except OSError as error:
        raise click.ClickException(f"--listen, --tls-listen: {error.strerror}") from error


async def _bound(start: Awaitable[str], address: tuple[str, int], option: str) -> str:
    try:
        return await start
    except OSError as error:
        raise address_taken(address, option, error) from error
