"""Subscribers that are reloaded gracefully while deliveries come."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.clocks.until import until
from support.cluster.e2e import Plane, plane
from support.cluster.processes import ENDPOINT, post
from support.servers.server import RealServer, Setup, running

SUBSCRIPTION = """
apiVersion: hookplane.dev/v1alpha1
kind: WebhookSubscription
metadata: {{name: shop}}
spec:
  endpointRefs: [{{name: in}}]
  target: {{url: "{url}"}}
  delivery: {{maxInFlight: {in_flight}, retry: {{schedule: [500ms, 1s, 1s, 1s, 1s]}}}}
"""
EVENTS = 200
RELOADS = 3
IN_FLIGHT = 8


@pytest.mark.parametrize("name", ["nginx", "gunicorn gthread", "gunicorn sync"])
async def test_a_reload_loses_nothing_and_little_is_tried_again(tmp_path: Path, name: str) -> None:
    with running(name, Setup(tmp_path / "server")) as server:
        async with plane(tmp_path) as sender:
            sender.write("in", ENDPOINT)
            sender.write("shop", SUBSCRIPTION.format(url=server.url(), in_flight=IN_FLIGHT))
            await sender.start()
            await asyncio.gather(*(_send(sender, part) for part in range(4)), _reload(server))
            await sender.until_api(
                "/subscriptions/default/shop",
                lambda found: found["delivery"]["delivered"] == EVENTS,
                "all to be delivered",
            )
            attempts = await _attempts(sender)
    assert len(set(server.recorded())) == EVENTS
    failed = [x for x in attempts if not x["success"]]
    assert len(failed) <= RELOADS * IN_FLIGHT, failed


async def _send(sender: Plane, part: int) -> None:
    """A quarter of the events, one after another."""
    async with aiohttp.ClientSession() as session:
        for number in range(part, EVENTS, 4):
            status, _ = await post(session, sender.url, f"e{number}", b"{}")
            assert status == 200


async def _reload(server: RealServer) -> None:
    """Again and again, spread over the traffic."""
    for number in range(RELOADS):
        wanted = (number + 1) * EVENTS // (RELOADS + 1)
        await until(lambda: len(server.recorded()) >= wanted, f"{wanted} deliveries")  # noqa: B023
        server.send(signal.SIGHUP)


async def _attempts(sender: Plane) -> list[Any]:
    found = await sender.api("GET", "/attempts?subscription=default/shop&limit=500")
    return list(found["items"])
