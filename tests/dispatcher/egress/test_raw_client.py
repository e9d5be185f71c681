"""How long connections and addresses are kept."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable, Collection, Sequence

import pytest

from hookplane_dispatcher.egress.client import EgressError
from hookplane_dispatcher.egress.guard import AddressGuard
from hookplane_dispatcher.egress.raw_client import PoolLimits, RawEgress
from support.clocks.until import until
from support.http.egress import SHORT, Names, post
from support.http.targets import OK, Wire, answers, target

MakeRaw = Callable[..., RawEgress]


@pytest.fixture
async def make_raw() -> AsyncIterator[MakeRaw]:
    """Makes clients and closes them."""
    made: list[RawEgress] = []

    def make(limits: PoolLimits, lookup: Names | None = None) -> RawEgress:
        made.append(RawEgress(AddressGuard(loopback=True, lookup=lookup), limits=limits))
        return made[-1]

    yield make
    for client in made:
        await client.close()


async def test_an_idle_connection_is_closed_in_time(make_raw: MakeRaw) -> None:
    client = make_raw(PoolLimits(idle_seconds=0.05))
    async with target(answers(OK)) as seen:
        for count in (1, 2):
            assert (await client.post(post(seen.url()))).status_code == 200
            assert seen.connections == count
            await until(lambda: seen.open == 0, "the connection to end")


async def test_a_connection_in_use_is_not_idle(make_raw: MakeRaw) -> None:
    """Its former idle time is over; its exchange has a deadline of its own."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(OK)
        await wire.request()
        await asyncio.sleep(0.2)
        await wire.send(OK)

    client = make_raw(PoolLimits(idle_seconds=0.05))
    async with target(script) as seen:
        for _ in range(2):
            assert (await client.post(post(seen.url()))).status_code == 200
    assert (seen.connections, len(seen.requests)) == (1, 2)


async def test_addresses_are_believed_for_a_while(make_raw: MakeRaw) -> None:
    names = Names(["127.0.0.1"])
    client = make_raw(PoolLimits(lookup_seconds=600), names)
    async with target(answers(OK, close=True)) as seen:
        for _ in range(3):
            assert (await client.post(post(seen.url(host="name.example")))).status_code == 200
    assert (names.asked, seen.connections) == (["name.example"], 3)


async def test_addresses_take_turns(make_raw: MakeRaw) -> None:
    client = make_raw(PoolLimits(lookup_seconds=600), Names(["127.0.0.1", "127.0.0.2"]))
    async with (
        target(answers(OK, close=True)) as one,
        target(answers(OK, close=True), host="127.0.0.2", port=one.port) as two,
    ):
        for _ in range(4):
            assert (await client.post(post(one.url(host="name.example")))).status_code == 200
    assert (one.connections, two.connections) == (2, 2)


async def test_a_client_that_is_closed_waits_for_no_name_server() -> None:
    asked = asyncio.Event()

    async def silent(host: str) -> Sequence[str]:
        asked.set()
        await asyncio.Event().wait()
        return []

    client = RawEgress(AddressGuard(lookup=silent))
    running = asyncio.ensure_future(client.post(post("http://name.example/")))
    await asked.wait()
    await client.close()
    assert (await running).error is EgressError.CLOSED


async def test_a_lookup_that_fails_when_nobody_waits_any_more_makes_no_noise() -> None:
    noise: list[object] = []
    answer = asyncio.Event()

    async def fails_late(host: str) -> Sequence[str]:
        await answer.wait()
        raise socket.gaierror

    asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
    client = RawEgress(AddressGuard(lookup=fails_late))
    response = await client.post(post("http://name.example/", timeout=SHORT))
    assert response.error is EgressError.TIMEOUT
    answer.set()
    for _ in range(10):
        await asyncio.sleep(0)
    gc.collect()
    await client.close()
    assert noise == []


class Careless(AddressGuard):
    """Looks at no address before it is dialled."""

    async def permitted(
        self, found: Sequence[str], port: int, services: Collection[str] = ()
    ) -> list[str]:
        return ["127.0.0.1"]


async def test_what_is_dialled_is_looked_at_last() -> None:
    async with target(answers(OK)) as seen:
        client = RawEgress(Careless(lookup=Names(["127.0.0.1"])))
        response = await client.post(post(seen.url(host="name.example")))
        await client.close()
    assert (response.error, seen.connections) == (EgressError.REFUSED_ADDRESS, 0)
