"""Every implementation of EgressClient, on every event loop, to be held to one suite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack

import pytest
import uvloop

from hookplane_dispatcher.egress.client import EgressClient
from hookplane_dispatcher.egress.guard import AddressGuard
from hookplane_dispatcher.egress.raw_client import PoolLimits, RawEgress

Maker = Callable[[AddressGuard], EgressClient]

NO_BELIEF = PoolLimits(lookup_seconds=0)
"""Each connection asks the name server anew."""

IMPLEMENTATIONS: dict[str, Maker] = {
    "raw": lambda guard: RawEgress(guard=guard, limits=NO_BELIEF),
}


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Function
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Both loops that Hookplane runs on: they report failures differently."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=IMPLEMENTATIONS)
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Maker]:
    """Makes clients behind a guard and closes them."""
    async with AsyncExitStack() as stack:

        def made(guard: AddressGuard) -> EgressClient:
            client = IMPLEMENTATIONS[request.param](guard)
            stack.push_async_callback(client.close)
            return client

        yield made


@pytest.fixture
def egress(make: Maker) -> EgressClient:
    """A client that may reach this machine."""
    return make(AddressGuard(loopback=True))
