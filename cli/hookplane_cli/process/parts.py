"""The part that a role runs: start it, stop it, ask how it is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry

from hookplane.clock import Clock
from hookplane.process.membership import Membership
from hookplane.reporting.activity import ActivityLog
from hookplane.sealing import Sealer
from hookplane.store.process_registry import Role
from hookplane.store.protocol import Store
from hookplane_cli.process.settings import ProcessSettings
from hookplane_cli.serving.retention import keep_tidy
from hookplane_cli.trigger_request import TriggerRequest
from hookplane_console.console import Console
from hookplane_dispatcher.dispatcher import Dispatcher
from hookplane_dispatcher.egress.aiohttp_client import AiohttpEgress
from hookplane_dispatcher.egress.guard import AddressGuard
from hookplane_receiver.receiver import Receiver
from hookplane_receiver.settings import ReceiverSettings


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every part is made of."""

    settings: ProcessSettings
    store: Store
    sealer: Sealer
    clock: Clock
    activity: ActivityLog
    registry: CollectorRegistry
    membership: Membership


class Part(Protocol):
    """One role at work."""

    async def start(self) -> str:
        """Loads all configuration; returns its URLs, or nothing when it serves none. Raises
        StoreUnavailable, InvalidValue for its files, and OSError when an address is taken."""

    async def leave(self) -> None:
        """It was told to stop: what it serves it goes on serving for the delay of the settings."""

    async def stop(self) -> None:
        """Within the grace of the settings."""

    async def chores(self) -> None:
        """What it does besides, until cancelled."""

    @property
    def ready(self) -> bool: ...

    @property
    def version(self) -> int: ...

    @property
    def refused(self) -> Mapping[str, str]: ...


class ReceiverPart:
    """The front door."""

    def __init__(self, around: Surroundings) -> None:
        settings = around.settings
        host, port = settings.listen
        self._delay, self._grace = settings.stop_delay, settings.grace
        self._receiver = Receiver(
            store=around.store,
            sealer=around.sealer,
            clock=around.clock,
            activity=around.activity,
            registry=around.registry,
            settings=ReceiverSettings(
                listen=f"{host}:{port}",
                trusted_proxies=settings.trusted_proxies,
                quotas=settings.quotas,
                tls=settings.tls,
            ),
            on_version=around.membership.beat_soon,
        )
        self._membership = around.membership
        around.membership.on_members = self._share

    def _share(self) -> None:
        """This one counts, whether it has said by now that it is ready or not."""
        own = self._membership.process
        others = [x for x in self._membership.ready(Role.RECEIVER) if x.process != own]
        self._receiver.among(len(others) + 1)

    async def start(self) -> str:
        url = await self._receiver.start()
        return " ".join(x for x in (url, self._receiver.tls_url) if x)

    async def leave(self) -> None:
        await self._receiver.leave(self._delay)

    async def stop(self) -> None:
        await self._receiver.stop(self._grace)

    async def chores(self) -> None:
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


class DispatcherPart:
    """Lanes of the subscriptions that are this process's, and the tidying up of the store."""

    def __init__(self, around: Surroundings) -> None:
        settings = around.settings
        self._around = around
        self._egress = AiohttpEgress(
            guard=AddressGuard(loopback=settings.allow_loopback, allowed=settings.allowed_cidrs)
        )
        self._dispatcher = Dispatcher(
            store=around.store,
            sealer=around.sealer,
            egress=self._egress,
            clock=around.clock,
            random=random.Random(),  # noqa: S311 - chance, not secrecy
            activity=around.activity,
            registry=around.registry,
            membership=around.membership,
        )

    async def start(self) -> str:
        await self._dispatcher.start()
        return ""

    async def leave(self) -> None:
        """At once, since nobody sends to it."""

    async def stop(self) -> None:
        await self._dispatcher.stop(self._around.settings.grace)
        await self._egress.close()

    async def chores(self) -> None:
        around = self._around
        await keep_tidy(around.store, around.settings.retention, around.clock, around.registry)

    @property
    def ready(self) -> bool:
        return self._dispatcher.ready

    @property
    def version(self) -> int:
        return self._dispatcher.version

    @property
    def refused(self) -> Mapping[str, str]:
        return self._dispatcher.refused


class ConsolePart:
    """The admin API."""

    def __init__(self, around: Surroundings) -> None:
        host, port = around.settings.listen
        url = around.settings.receiver_url
        self._delay = around.settings.stop_delay
        self.ready = False
        self._console = Console(
            store=around.store,
            sealer=around.sealer,
            clock=around.clock,
            registry=around.registry,
            listen=f"{host}:{port}",
            health=lambda: {"console": self.ready},
            trigger=TriggerRequest(url, around.clock),
            receiver_url=url,
            on_version=around.membership.beat_soon,
        )

    async def start(self) -> str:
        url = await self._console.start()
        self.ready = True
        return url

    async def leave(self) -> None:
        self.ready = False
        await asyncio.sleep(self._delay / 1000)

    async def stop(self) -> None:
        self.ready = False
        await self._console.stop()

    async def chores(self) -> None:
        await asyncio.Event().wait()

    @property
    def version(self) -> int:
        return self._console.version

    @property
    def refused(self) -> Mapping[str, str]:
        return self._console.refused


PARTS: dict[Role, Callable[[Surroundings], Part]] = {
    Role.RECEIVER: ReceiverPart,
    Role.DISPATCHER: DispatcherPart,
    Role.CONSOLE: ConsolePart,
}
