"""Where Hookplane itself is, whatever its names lead to today."""

from __future__ import annotations

import asyncio
import socket

from hookplane.network.addresses import OwnPlace
from hookplane_dispatcher.egress.own import KEPT, OwnAddresses
from support.clocks.until import until
from support.http.egress import Names

OURS = OwnPlace("ours.example", 6432)


async def test_a_name_is_where_it_leads_and_where_it_led() -> None:
    own = OwnAddresses([OURS], Names(["10.0.0.1"], ["10.0.0.2"]), seconds=0)
    await own.learn()
    assert own.hold("10.0.0.1", 6432)
    await own.learn()
    await until(lambda: own.hold("10.0.0.2", 6432), "the next address")
    assert own.hold("10.0.0.1", 6432)


async def test_a_name_that_leads_to_ever_other_places_fills_no_memory() -> None:
    answers = [[f"10.0.{x // 200}.{x % 200 + 1}"] for x in range(3 * KEPT)]
    own = OwnAddresses([OURS], Names(*answers), seconds=0)
    for (ip,) in answers:
        await own.learn()
        await until(lambda: own.hold(ip, 6432), "the next address")  # noqa: B023
    assert sum(own.hold(ip, 6432) for (ip,) in answers) == KEPT


async def test_a_name_that_was_not_found_at_first_is_asked_for_again_soon() -> None:
    asked: list[str] = []

    async def lookup(host: str) -> list[str]:
        asked.append(host)
        if len(asked) == 1:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return ["10.0.0.1"]

    own = OwnAddresses([OURS], lookup)
    await own.learn()
    assert not own.hold("10.0.0.1", 6432)

    async def held() -> bool:
        await own.learn()
        return own.hold("10.0.0.1", 6432)

    await until(held, "the address, long before the next look at what is known")
    assert len(asked) == 2


async def test_what_is_believed_is_not_asked_again() -> None:
    names = Names(["10.0.0.1"])
    own = OwnAddresses([OURS], names)
    for _ in range(3):
        await own.learn()
    assert names.asked == ["ours.example"]


async def test_a_name_that_is_lost_stays_where_it_was() -> None:
    asked: list[str] = []

    async def lookup(host: str) -> list[str]:
        asked.append(host)
        if len(asked) > 1:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return ["10.0.0.1"]

    own = OwnAddresses([OURS], lookup, seconds=0)
    await own.learn()
    await own.learn()
    await until(lambda: len(asked) == 2, "the second look")
    await asyncio.sleep(0)
    assert own.hold("10.0.0.1", 6432)


async def test_ports_count_where_they_are_named() -> None:
    own = OwnAddresses([OURS, OwnPlace("fd00::7")], Names(["10.0.0.1"]))
    await own.learn()
    assert not own.hold("10.0.0.1", 80)
    assert own.hold("fd00::7", 80)
