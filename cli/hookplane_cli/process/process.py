"""One process of a role, from the first try to reach the store until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

import click
from prometheus_client import CollectorRegistry

from hookplane import fault
from hookplane.clock import Clock
from hookplane.errors import StoreReplaced, StoreUnavailable
from hookplane.pacing.backoff import Backoff
from hookplane.pacing.waiting import wait_until_set
from hookplane.process.membership import Membership
from hookplane.sealing import NoKeys, Opener
from hookplane.sealing_keys import read_sealing_keys
from hookplane.store.process_registry import Presence, Role
from hookplane.store.protocol import Store
from hookplane_cli.activity.log import open_activity_log
from hookplane_cli.composition import (
    ConsoleRole,
    DispatcherRole,
    ProcessDependencies,
    ReceiverRole,
    RunningRole,
)
from hookplane_cli.options import authority
from hookplane_cli.process.settings import ProcessSettings
from hookplane_cli.serving.health import HealthServer
from hookplane_cli.serving.loop import run_until, set_up_collector
from hookplane_dispatcher.egress.guard import AddressGuard

FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 5.0
"""Seconds between attempts to reach the store at the start."""

_log = logging.getLogger("hookplane.process")


class Process:
    """Survives outages of the store, and starts over when the database is another one than
    before."""

    def __init__(self, role: Role, settings: ProcessSettings, clock: Clock) -> None:
        """Raises SecretUnreadable, OSError for the sealing keys."""
        self._role = role
        self._settings = settings
        self._clock = clock
        self._running_role: RunningRole | None = None
        self._has_served = False
        keys = settings.store.keys
        self._sealer: Opener = NoKeys() if keys is None else read_sealing_keys(keys)

    async def serve(self, stopped: asyncio.Event) -> None:
        """Until `stopped`. What cannot begin raises StoreUnfit, SecretUnreadable or
        click.ClickException: somebody has to change a setting. Once it has served nothing ends it;
        it starts over, with growing pauses."""
        for warning in self._settings.warnings:
            _log.warning("%s", warning)
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        while not stopped.is_set():
            try:
                await self._once(stopped)
                backoff.reset()
            except StoreReplaced as error:
                _log.warning("starting over, because %s", error)
            except StoreUnavailable as error:
                _log.warning("waiting for the store: %s", error)
                await wait_until_set(stopped, backoff.next_pause())
            except Exception as error:
                if not self._has_served:
                    raise
                _log.warning("starting over, because %s", fault.words(error))
                await wait_until_set(stopped, backoff.next_pause())

    async def _once(self, stopped: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            settings = self._settings.store
            store = await settings.driver.open(settings.access, self._clock)
            stack.push_async_callback(store.close)
            membership = Membership(
                store, self._role, self._settings.instance, self._clock, self._presence
            )
            running = await stack.enter_async_context(self._running(store, membership))
            set_up_collector()
            self._has_served = True
            await run_until(stopped, running.housekeeping(), membership.failed())
            await running.leave()

    @asynccontextmanager
    async def _running(self, store: Store, membership: Membership) -> AsyncIterator[RunningRole]:
        registry = CollectorRegistry()
        async with AsyncExitStack() as stack:
            activity = open_activity_log(self._settings.log, sys.stdout, clock=self._clock)
            stack.callback(activity.close)
            made_of = ProcessDependencies(
                store, self._sealer, self._clock, activity, registry, membership
            )
            running = self._running_role = make_role(self._role, self._settings, made_of)
            await stack.enter_async_context(self._served_health(registry))
            await membership.start()
            stack.push_async_callback(membership.stop)
            stack.push_async_callback(_stop, running)
            try:
                url = await running.start()
            except OSError as error:
                raise click.ClickException(
                    f"HOOKPLANE_LISTEN or HOOKPLANE_TLS_LISTEN: {error.strerror}"
                ) from error
            membership.beat_soon()
            _log.info("%s %s serves %s", self._role, self._settings.instance, url)
            yield running

    @asynccontextmanager
    async def _served_health(self, registry: CollectorRegistry) -> AsyncIterator[None]:
        """Serves health and metrics at an address of their own: a console answers them as well,
        but where it listens nobody else may come."""
        if self._settings.health is None:
            yield
            return
        server = HealthServer(self._settings.health, self._health, registry)
        try:
            await server.start()
        except OSError as error:
            raise click.ClickException(f"HOOKPLANE_HEALTH: {error.strerror}") from error
        try:
            yield
        finally:
            await server.stop()

    def _health(self) -> dict[str, bool]:
        return {self._role.value: self._running_role is not None and self._running_role.ready}

    def _presence(self) -> Presence:
        running = self._running_role
        if running is None:
            return Presence(ready=False, version=0)
        return Presence(running.ready, running.version, dict(running.refused))


def make_role(role: Role, settings: ProcessSettings, made_of: ProcessDependencies) -> RunningRole:
    """The part that a role runs, as the settings have it."""
    delay, grace = settings.stop_delay, settings.grace
    match role:
        case Role.RECEIVER:
            return ReceiverRole(made_of, settings.receiver(), grace=grace, stop_delay=delay)
        case Role.DISPATCHER:
            guard = AddressGuard(
                loopback=settings.allow_loopback,
                allowed=settings.allowed_cidrs,
                own=settings.own,
            )
            return DispatcherRole(made_of, guard, settings.retention, grace=grace)
        case Role.CONSOLE:
            return ConsoleRole(
                made_of,
                listen=authority(settings.listen),
                receiver_url=settings.receiver_url,
                may_sign=settings.trigger,
                stop_delay=delay,
            )


async def _stop(running: RunningRole) -> None:
    """Ends a role, also while the store is away or another one than before."""
    with suppress(StoreUnavailable, StoreReplaced):
        await running.stop()
