"""The console as a part of a process: start it, stop it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry

from hookplane.clock import Clock
from hookplane.pacing.run_forever import run_forever
from hookplane.process.follow import ConfigFollower, FollowedStore
from hookplane.sealing import NoKeys, Opener
from hookplane.store.config_store import ConfigKind
from hookplane_console.api.context import MAX_BODY_BYTES, AdminStore, Context, ManifestsView
from hookplane_console.api.directory import Directory
from hookplane_console.api.routes import add_routes
from hookplane_console.middleware import Guard, errors, guarded
from hookplane_console.probes import Health, Probes
from hookplane_console.site import site
from hookplane_console.trigger import Trigger

SHUTDOWN_SECONDS: Final = 1.0
"""Requests under way get this long when the console stops."""


def no_files() -> Mapping[str, Any]:
    """Objects come from an API server."""
    return {"loadedTime": None, "problems": [], "notes": [], "fault": ""}


class ConsoleStore(AdminStore, FollowedStore, Protocol):
    """What the console needs of a store."""


@dataclass(frozen=True, slots=True)
class SampleSigning:
    """The right to send samples in a provider's name."""

    opener: Opener
    """For the keys of endpoints; those of subscriptions are nobody's business here."""
    trigger: Trigger


class Console:
    """Serves health, metrics and the admin API."""

    def __init__(
        self,
        *,
        store: ConsoleStore,
        clock: Clock,
        registry: CollectorRegistry,
        listen: str,
        health: Health,
        signing: SampleSigning | None = None,
        receiver_url: str = "",
        on_version: Callable[[], None] = lambda: None,
        manifests: ManifestsView = no_files,
    ) -> None:
        """`listen`: HOST:PORT, port 0 takes a free one; `signing`: None for a console that only
        shows and asks, which needs no key; `receiver_url`: where endpoints are, for their URLs;
        `on_version`: called when a newer config version is in force; `manifests`: what the files
        say, if objects come from files."""
        self._host, _, port = listen.rpartition(":")
        self._port = int(port)
        directory = Directory()
        self._follower = ConfigFollower(
            store,
            NoKeys() if signing is None else signing.opener,
            directory.apply,
            on_version,
            without_secrets=(ConfigKind.SUBSCRIPTION,),
        )
        self._app = web.Application(
            client_max_size=MAX_BODY_BYTES, middlewares=[guarded(Guard(self._host)), errors]
        )
        trigger = None if signing is None else signing.trigger
        add_routes(self._app, Context(store, directory, clock, receiver_url, trigger, manifests))
        Probes(health, registry).add_routes(self._app)
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        self._following: asyncio.Task[None] | None = None

    @property
    def version(self) -> int:
        """The config version in force."""
        return self._follower.version

    @property
    def refused(self) -> dict[str, str]:
        """Uid → why its newest document was not taken."""
        return self._follower.refused

    async def start(self) -> str:
        """Loads the config, binds, and returns the URL with the real port. Raises OSError when
        the address is taken, StoreUnavailable."""
        await self._follower.load()
        await self._runner.setup()
        await site(self._runner, self._host, self._port).start()
        self._following = asyncio.create_task(run_forever("configuration", self._follower.run))
        return f"http://{self._host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Ends what runs; a console that never started may be stopped as well."""
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
        await self._runner.cleanup()
