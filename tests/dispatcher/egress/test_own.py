"""Where Hookplane itself is, whatever its names lead to today."""

from __future__ import annotations

import asyncio
import socket

from hookplane.network.addresses import OwnPlace
from hookplane_dispatcher.egress.own import OwnAddresses
from support.clocks.until import until
from support.http.egress import Names

OURS = OwnPlace("ours.example", 6432)


async def test_a_name_is_followed_when_it_moves() -> None:
    own = OwnAddresses([OURS], Names(["10.0.0.1"], ["10.0.0.2"]), seconds=0)
    await own.learn()
    assert own.hold("10.0.0.1", 6432)
    await own.learn()
    await until(lambda: own.hold("10.0.0.2", 6432), "the next address")
    assert not own.hold("10.0.0.1", 6432)


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
