"""Whose names are looked up when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from hookplane_dispatcher.egress.guard import AddressGuard
from hookplane_dispatcher.egress.names import AT_ONCE, MOST_EACH, LookupGivenUp, NameCache

ADDRESS = "192.0.2.1"


class SlowServers:
    """Name servers of which some answer when they are told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = asyncio.Event()

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if host.startswith("slow"):
            await self.answer.wait()
        return [ADDRESS]


@pytest.fixture
async def servers() -> SlowServers:
    return SlowServers()


@pytest.fixture
def names(servers: SlowServers) -> NameCache:
    return NameCache(AddressGuard(lookup=servers), 10)


def asked_for(names: NameCache, namespace: str, count: int) -> list[asyncio.Task[list[str]]]:
    return [
        asyncio.create_task(names.addresses(f"slow-{number}.{namespace}.example", namespace))
        for number in range(count)
    ]


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_has_slow_names_waits_for_himself(names: NameCache, servers: SlowServers) -> None:
    slow = asked_for(names, "hostile", 64)
    await settled()
    assert len(servers.asked) == MOST_EACH
    assert await asyncio.wait_for(names.addresses("shop.example", "shop"), 5) == [ADDRESS]
    servers.answer.set()
    await asyncio.wait(slow)
    assert len(servers.asked) == 65


async def test_no_more_are_asked_for_at_once_than_there_are_threads(
    names: NameCache, servers: SlowServers
) -> None:
    slow = [x for tenant in range(AT_ONCE) for x in asked_for(names, f"t{tenant}", 3)]
    await settled()
    assert len(servers.asked) == AT_ONCE
    servers.answer.set()
    await asyncio.wait(slow)
    assert len(servers.asked) == 3 * AT_ONCE


async def test_nobody_waits_for_anothers_turn_with_the_same_name(
    names: NameCache, servers: SlowServers
) -> None:
    slow = asked_for(names, "hostile", MOST_EACH)
    behind = asyncio.create_task(names.addresses("shop.example", "hostile"))
    await settled()
    assert "shop.example" not in servers.asked
    assert await asyncio.wait_for(names.addresses("shop.example", "shop"), 5) == [ADDRESS]
    servers.answer.set()
    await asyncio.wait([*slow, behind])


async def test_closing_gives_up_what_is_under_way_and_what_waits(names: NameCache) -> None:
    slow = asked_for(names, "hostile", MOST_EACH + 1)
    await settled()
    names.close()
    await asyncio.wait(slow)
    assert {type(x.exception()) for x in slow} == {LookupGivenUp}
    # and all turns are free again
    assert await asyncio.wait_for(names.addresses("shop.example", "hostile"), 5) == [ADDRESS]


async def test_a_name_that_does_not_resolve_ends_its_turn() -> None:
    async def unknown(host: str) -> Sequence[str]:
        raise OSError(host)

    names = NameCache(AddressGuard(lookup=unknown), 10)
    for number in range(AT_ONCE + 1):
        with pytest.raises(OSError, match=str(number)):
            await asyncio.wait_for(names.addresses(f"{number}.example", "shop"), 5)
