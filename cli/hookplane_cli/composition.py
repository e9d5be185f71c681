"""The composition root: a receiver, a dispatcher and a console, made of the same few things.

`hookplane run` starts all three in one process, alone on SQLite. Each of `hookplane receiver`,
`dispatcher` and `console` starts one of many processes on PostgreSQL, which has a membership.
Nothing else of the program puts a part together.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry

from hookplane.clock import Clock, Millis
from hookplane.config.subscription import HttpTargetConfig
from hookplane.process.membership import Membership
from hookplane.reporting.activity import ActivityLog
from hookplane.sealing import Opener
from hookplane.store.maintenance import Retention
from hookplane.store.process_registry import Role
from hookplane.store.protocol import Store
from hookplane_cli.serving.retention import enforce_retention
from hookplane_cli.trigger_request import TriggerRequest
from hookplane_console.api.context import ManifestsView
from hookplane_console.console import Console, SampleSigning, no_files
from hookplane_console.probes import Health
from hookplane_dispatcher.dispatcher import Dispatcher
from hookplane_dispatcher.egress.guard import AddressGuard
from hookplane_dispatcher.egress.raw_client import RawEgress
from hookplane_dispatcher.transports.http.target import HttpTransport
from hookplane_dispatcher.transports.transport import Transports
from hookplane_receiver.receiver import Receiver
from hookplane_receiver.settings import ReceiverSettings


@dataclass(frozen=True, slots=True)
class ProcessDependencies:
    """What every part of a process is made of."""

    store: Store
    sealer: Opener
    clock: Clock
    activity: ActivityLog
    registry: CollectorRegistry
    membership: Membership | None = None
    """Its place among other processes; None: it is the only one."""

    def beat_soon(self) -> None:
        """Has the next heartbeat sent soon, because something in it changed; nothing if there are
        no others."""
        if self.membership is not None:
            self.membership.beat_soon()


class RunningRole(Protocol):
    """One role at work."""

    async def start(self) -> str:
        """Loads all configuration; returns its URLs, or nothing when it serves none. Raises
        StoreUnavailable, InvalidValue for its files, and OSError when an address is taken."""

    async def leave(self) -> None:
        """Called when it is to stop. It goes on answering for the delay that it was given."""

    async def stop(self) -> None:
        """Ends it. What is under way may take as long as the grace that it was given."""

    async def housekeeping(self) -> None:
        """What it does besides, until cancelled."""

    @property
    def ready(self) -> bool: ...

    @property
    def version(self) -> int: ...

    @property
    def refused(self) -> Mapping[str, str]: ...


class ReceiverRole:
    """The front door."""

    def __init__(
        self,
        made_of: ProcessDependencies,
        settings: ReceiverSettings,
        *,
        grace: Millis,
        stop_delay: Millis = 0,
    ) -> None:
        self._stop_delay, self._grace = stop_delay, grace
        self._receiver = Receiver(
            store=made_of.store,
            sealer=made_of.sealer,
            clock=made_of.clock,
            activity=made_of.activity,
            registry=made_of.registry,
            settings=settings,
            on_version=made_of.beat_soon,
        )
        self._membership = made_of.membership
        if self._membership is not None:
            self._membership.listen(on_members=self._share)

    def _share(self) -> None:
        """Counts this receiver too, even if the others do not know yet that it is ready."""
        assert self._membership is not None  # noqa: S101 - it calls this
        own = self._membership.process
        others = [x for x in self._membership.ready(Role.RECEIVER) if x.process != own]
        self._receiver.share_among(len(others) + 1)

    async def start(self) -> str:
        url = await self._receiver.start()
        return " ".join(x for x in (url, self._receiver.tls_url) if x)

    async def leave(self) -> None:
        await self._receiver.leave(self._stop_delay)

    async def stop(self) -> None:
        await self._receiver.stop(self._grace)

    async def housekeeping(self) -> None:
        await asyncio.Event().wait()

    @property
    def ready(self) -> bool:
        return self._receiver.ready

    @property
    def version(self) -> int:
        return self._receiver.version

    @property
    def refused(self) -> Mapping[str, str]:
        return self._receiver.refused


def make_transports(guard: AddressGuard, clock: Clock) -> Transports:
    """A transport for each kind of target that a document can have."""
    return {HttpTargetConfig: HttpTransport(RawEgress(guard), clock)}


class DispatcherRole:
    """Delivers to the subscriptions that belong to this process, and enforces retention."""

    def __init__(
        self,
        made_of: ProcessDependencies,
        guard: AddressGuard,
        retention: Retention,
        *,
        grace: Millis,
    ) -> None:
        self._made_of = made_of
        self._retention = retention
        self._grace = grace
        self._transports = make_transports(guard, made_of.clock)
        self._dispatcher = Dispatcher(
            store=made_of.store,
            sealer=made_of.sealer,
            transports=self._transports,
            clock=made_of.clock,
            random=random.Random(),  # noqa: S311 - chance, not secrecy
            activity=made_of.activity,
            registry=made_of.registry,
            membership=made_of.membership,
        )

    async def start(self) -> str:
        await self._dispatcher.start()
        return ""

    async def leave(self) -> None:
        """Returns at once, because nobody sends requests to it."""

    async def stop(self) -> None:
        try:
            await self._dispatcher.stop(self._grace)
        finally:
            for transport in self._transports.values():
                await transport.close()

    async def housekeeping(self) -> None:
        store, clock, registry = self._made_of.store, self._made_of.clock, self._made_of.registry
        await enforce_retention(store, self._retention, clock, registry)

    @property
    def ready(self) -> bool:
        return self._dispatcher.ready

    @property
    def version(self) -> int:
        return self._dispatcher.version

    @property
    def refused(self) -> Mapping[str, str]:
        return self._dispatcher.refused


class ConsoleRole:
    """The admin API, and health and metrics of its process."""

    def __init__(
        self,
        made_of: ProcessDependencies,
        *,
        listen: str,
        receiver_url: str,
        may_sign: bool,
        health: Health | None = None,
        stop_delay: Millis = 0,
        manifests: ManifestsView = no_files,
    ) -> None:
        """`may_sign`: whether it sends samples, for which it opens the keys of endpoints; `health`:
        of all parts of the process; None: the console is the only one."""
        self._stop_delay = stop_delay
        self.ready = False
        self._console = Console(
            store=made_of.store,
            clock=made_of.clock,
            registry=made_of.registry,
            listen=listen,
            health=health or (lambda: {"console": self.ready}),
            signing=SampleSigning(made_of.sealer, TriggerRequest(receiver_url, made_of.clock))
            if may_sign
            else None,
            receiver_url=receiver_url,
            on_version=made_of.beat_soon,
            manifests=manifests,
        )

    async def start(self) -> str:
        url = await self._console.start()
        self.ready = True
        return url

    async def leave(self) -> None:
        self.ready = False
        await asyncio.sleep(self._stop_delay / 1000)

    async def stop(self) -> None:
        self.ready = False
        await self._console.stop()

    async def housekeeping(self) -> None:
        await asyncio.Event().wait()

    @property
    def version(self) -> int:
        return self._console.version

    @property
    def refused(self) -> Mapping[str, str]:
        return self._console.refused
