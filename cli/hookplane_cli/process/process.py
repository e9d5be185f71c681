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

from hookplane.clock import Clock
from hookplane.errors import StoreReplaced, StoreUnavailable
from hookplane.process.membership import Membership
from hookplane.sealing import Sealer
from hookplane.sealing_keys import read_sealing_keys
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.process_registry import Presence, Role
from hookplane_cli.activity.log import open_activity_log
from hookplane_cli.process.parts import PARTS, Part, Surroundings
from hookplane_cli.process.settings import ProcessSettings
from hookplane_cli.serving.health import HealthServer
from hookplane_cli.serving.loop import calm_collector, pause, until

FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 5.0
"""Seconds between attempts to reach the store at the start."""

_log = logging.getLogger("hookplane.process")


class Process:
    """Lives through outages of the store, and is built anew when the database is another one."""

    def __init__(self, role: Role, settings: ProcessSettings, clock: Clock) -> None:
        """Raises SecretUnreadable, OSError for the sealing keys."""
        self._role = role
        self._settings = settings
        self._clock = clock
        self._part: Part | None = None
        self._sealer: Sealer | None = None
        if settings.store.keys is not None:
            self._sealer = read_sealing_keys(settings.store.keys)

    async def serve(self, stopped: asyncio.Event) -> None:
        """Until `stopped`. Raises StoreUnfit, SecretUnreadable, click.ClickException."""
        for warning in self._settings.warnings:
            _log.warning("%s", warning)
        wait = FIRST_PAUSE
        while not stopped.is_set():
            try:
                await self._once(stopped)
                wait = FIRST_PAUSE
            except StoreReplaced as error:
                _log.warning("starting over, because %s", error)
            except StoreUnavailable as error:
                _log.warning("waiting for the store: %s", error)
                await pause(stopped, wait)
                wait = min(2 * wait, LONGEST_PAUSE)

    async def _once(self, stopped: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            store = await PostgresStore.open(self._settings.store.postgres, self._clock)
            stack.push_async_callback(store.close)
            membership = Membership(
                store, self._role, self._settings.instance, self._clock, self._presence
            )
            part = await stack.enter_async_context(self._running(store, membership))
            calm_collector()
            await until(stopped, part.chores(), membership.failed())
            await part.leave()

    @asynccontextmanager
    async def _running(self, store: PostgresStore, membership: Membership) -> AsyncIterator[Part]:
        assert self._sealer is not None  # noqa: S101 - the settings demand the file
        registry = CollectorRegistry()
        async with AsyncExitStack() as stack:
            activity = open_activity_log(self._settings.log, sys.stdout, clock=self._clock)
            stack.callback(activity.close)
            around = Surroundings(
                self._settings, store, self._sealer, self._clock, activity, registry, membership
            )
            part = self._part = PARTS[self._role](around)
            await stack.enter_async_context(self._served_health(registry))
            await membership.start()
            stack.push_async_callback(membership.stop)
            stack.push_async_callback(_stop, part)
            try:
                url = await part.start()
            except OSError as error:
                raise click.ClickException(
                    f"HOOKPLANE_LISTEN or HOOKPLANE_TLS_LISTEN: {error.strerror}"
                ) from error
            membership.beat_soon()
            _log.info("%s %s serves %s", self._role, self._settings.instance, url)
            yield part

    @asynccontextmanager
    async def _served_health(self, registry: CollectorRegistry) -> AsyncIterator[None]:
        """The console has these routes itself."""
        if self._settings.health is None or self._role is Role.CONSOLE:
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
        return {self._role.value: self._part is not None and self._part.ready}

    def _presence(self) -> Presence:
        part = self._part
        if part is None:
            return Presence(ready=False, version=0)
        return Presence(part.ready, part.version, dict(part.refused))


async def _stop(part: Part) -> None:
    """A store that is away or another one must not keep a process from ending."""
    with suppress(StoreUnavailable, StoreReplaced):
        await part.stop()
