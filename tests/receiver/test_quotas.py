"""What a namespace may use: at the front door, and the arithmetic of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from hookplane.config.base import RateLimit
from hookplane.config.endpoint import ApiKey, EndpointConfig, operational_endpoint
from hookplane.pacing.token_bucket import TokenBucket
from hookplane.secret import Secret
from hookplane.store.maintenance import Retention
from hookplane.store.queries import Page
from hookplane_receiver.quotas import NamespaceUsage, share
from hookplane_receiver.settings import QuotaSettings
from support.clocks.manual import ManualClock
from support.clocks.until import until
from support.planes.receiver import Answered, Door, endpoint, open_door, operational

DAY = 86_400_000
GATEWAY = "system/default"
BYTES = QuotaSettings(stored_bytes=100, gateway=GATEWAY)
EVENTS = QuotaSettings(events_per_second=2, gateway=GATEWAY)


def made(name: str, namespace: str = "default", **changes: Any) -> EndpointConfig:
    """Every request with the key is an event."""
    facts: dict[str, Any] = {
        "uid": f"webhookendpoints/{namespace}/{name}",
        "namespace": namespace,
        "path": f"/{namespace}/{name}",
        "keys": [],
        "signature": None,
        "api_key": ApiKey(header="x-api-key", keys=(Secret("one"),)),
    }
    return endpoint(name, "Generic", **(facts | changes))


async def send(door: Door, path: str, size: int = 1, key: str = "one") -> Answered:
    return await door.send(path, b"x" * size, [("X-API-Key", key)])


async def statuses(door: Door, path: str, times: int, key: str = "one") -> list[int]:
    return [(await send(door, path, key=key)).status for _ in range(times)]


# Stored bytes -------------------------------------------------------------------------------------


async def test_a_namespace_without_room_is_refused_alone(tmp_path: Path) -> None:
    configs = made("a"), made("b"), made("a", "other")
    async with open_door(tmp_path, *configs, quotas=BYTES) as door:
        assert (await send(door, "/default/a", 60)).status == 200
        assert (await send(door, "/default/b", 40)).status == 200
        refused = await send(door, "/default/a", 1)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "60")
        assert (await send(door, "/other/a", 100)).status == 200
        await door.receiver.stop(1000)
        status = await door.status("a")
        assert (status.accepted, status.rejected) == (1, {"StorageQuotaExceeded": 1})
        assert status.last_rejected_detail == (
            "namespace default has no room left in its quota of 100 of stored bodies; raise "
            "spec.quotas.perNamespace.storedBytes of gateway system/default, or shorten the "
            "retention of events"
        )


async def test_what_does_not_fit_leaves_room_for_what_does(tmp_path: Path) -> None:
    async with open_door(tmp_path, made("a"), quotas=BYTES) as door:
        assert (await send(door, "/default/a", 101)).status == 503
        assert (await send(door, "/default/a", 100)).status == 200


async def test_a_restart_does_not_forget_what_is_stored(tmp_path: Path) -> None:
    async with open_door(tmp_path, made("a"), quotas=BYTES) as door:
        await send(door, "/default/a", 100)
    async with open_door(tmp_path, made("a"), quotas=BYTES) as door:
        assert (await send(door, "/default/a")).status == 503


async def test_a_new_endpoint_in_place_of_a_full_one_is_no_way_around(tmp_path: Path) -> None:
    async with open_door(tmp_path, made("a"), quotas=BYTES) as door:
        await send(door, "/default/a", 100)
        await door.configure(made("b"), gone=("webhookendpoints/default/a",))
        assert (await send(door, "/default/b")).status == 503


async def test_duplicates_take_no_room(tmp_path: Path) -> None:
    config = made("a", dedup_key=endpoint("x", "GitHub").dedup_key)
    async with open_door(tmp_path, config, quotas=BYTES) as door:
        headers = [("X-API-Key", "one"), ("X-GitHub-Delivery", "1")]
        for _ in range(5):
            assert (await door.send("/default/a", b"x" * 40, headers)).status == 200
        assert (await send(door, "/default/a", 60)).status == 200


async def test_room_that_retention_makes_is_used_without_anybodys_help(tmp_path: Path) -> None:
    async with open_door(tmp_path, made("a"), quotas=BYTES) as door:
        await send(door, "/default/a", 100)
        assert (await send(door, "/default/a")).status == 503
        await door.store.expire(Retention(DAY, DAY, 0), door.clock.now())
        async with asyncio.timeout(60):
            while (await send(door, "/default/a")).status != 200:
                pass


async def test_stored_bytes_are_a_metric_of_each_namespace(tmp_path: Path) -> None:
    configs = made("a"), made("a", "other"), operational()
    async with open_door(tmp_path, *configs) as door:
        await send(door, "/default/a", 7)

        def seen(namespace: str) -> float | None:
            return door.registry.get_sample_value(
                "hookplane_stored_bytes", {"namespace": namespace}
            )

        await until(lambda: seen("default") == 7, "the stored bytes to be measured")
        assert seen("other") == 0


# Events a second ----------------------------------------------------------------------------------


async def test_all_endpoints_of_a_namespace_share_its_events(tmp_path: Path) -> None:
    clock = ManualClock()
    configs = made("a"), made("b"), made("a", "other")
    async with open_door(tmp_path, *configs, clock=clock, quotas=EVENTS) as door:
        assert await statuses(door, "/default/a", 1) == [200]
        assert await statuses(door, "/default/b", 1) == [200]
        refused = await send(door, "/default/a")
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        assert await statuses(door, "/other/a", 2) == [200, 200]
        clock.advance(1000)
        assert await statuses(door, "/default/a", 3) == [200, 200, 429]
        await door.receiver.stop(1000)
        status = await door.status("a")
        assert status.rejected == {"EventsQuotaExceeded": 2}
        assert status.last_rejected_detail == (
            "namespace default sends more than its quota of 2 events a second; raise "
            "spec.quotas.perNamespace.eventsPerSecond of gateway system/default"
        )


async def test_strangers_use_up_nothing(tmp_path: Path) -> None:
    async with open_door(tmp_path, made("a"), quotas=EVENTS) as door:
        assert await statuses(door, "/default/a", 20, key="guess") == [401] * 20
        assert await statuses(door, "/default/a", 2) == [200, 200]


async def test_handshakes_use_up_nothing(tmp_path: Path) -> None:
    config = made("w", handshake="MetaChallenge", parameters={"verifyToken": Secret("vt")})
    async with open_door(tmp_path, config, quotas=EVENTS) as door:
        ask = "/default/w?hub.mode=subscribe&hub.challenge=1&hub.verify_token=vt"
        for _ in range(5):
            assert (await door.send(ask, method="GET")).status == 200
        assert await statuses(door, "/default/w", 2) == [200, 200]


async def test_receivers_share_the_quota(tmp_path: Path) -> None:
    async with open_door(tmp_path, made("a"), made("a", "new"), quotas=EVENTS) as door:
        assert await statuses(door, "/default/a", 1) == [200]
        door.receiver.share_among(2)
        # the one that is left is as much as half of the quota keeps
        assert await statuses(door, "/default/a", 2) == [200, 429]
        assert await statuses(door, "/new/a", 2) == [200, 429]


async def test_without_a_gateway_the_variable_is_named(tmp_path: Path) -> None:
    async with open_door(tmp_path, made("a"), quotas=QuotaSettings(1, 1)) as door:
        await send(door, "/default/a", 2)
        await send(door, "/default/a")
        await send(door, "/default/a", 0)
        details = [detail for _, _, detail, _ in door.activity.rejections]
        assert ["HOOKPLANE_QUOTA_STORED_BYTES" in details[0], len(details)] == [True, 2]
        assert "HOOKPLANE_QUOTA_EVENTS_PER_SECOND" in details[1]


# Notices ------------------------------------------------------------------------------------------


async def test_bad_requests_do_not_hide_that_good_ones_are_refused(tmp_path: Path) -> None:
    configs = made("a"), made("b"), operational()
    async with open_door(tmp_path, *configs, quotas=BYTES) as door:
        await send(door, "/default/a", 100)
        for path in ("/default/a", "/default/b"):
            await send(door, path)
            await send(door, path, key="guess")
        await door.receiver.stop(1000)
        rows = (await door.store.events(Page(), log_id=operational_endpoint("default"))).rows
        told = [(row.entry.type, await subject(door, row.entry.event_id)) for row in rows]
        assert sorted(told) == [
            ("hookplane.endpoint.rejecting", "WebhookEndpoint a"),
            ("hookplane.endpoint.rejecting", "WebhookEndpoint b"),
            ("hookplane.quota.storage_exceeded", "Namespace default"),
        ]
        assert await door.store.stored_bytes() == {"default": 100}


async def subject(door: Door, event_id: str) -> str:
    _, content = await door.store.find_event(event_id)
    data = json.loads(content.body)["data"]
    return f"{data['kind']} {data['name']}"


# Arithmetic ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "receivers", "rate"),
    [
        (500, 1, RateLimit(tokens=500, per=1000, burst=500)),
        (500, 4, RateLimit(tokens=500, per=4000, burst=125)),
        (10, 4, RateLimit(tokens=10, per=4000, burst=3)),
        # nobody gets less than one a second
        (3, 8, RateLimit(tokens=3, per=3000, burst=1)),
        (1, 2, RateLimit(tokens=1, per=1000, burst=1)),
    ],
)
def test_a_receivers_share(events: int, receivers: int, rate: RateLimit) -> None:
    assert share(events, receivers) == rate


def test_a_usage_counts_what_is_on_its_way_and_what_arrived() -> None:
    usage = NamespaceUsage(None)
    usage.begin(10)
    usage.begin(5)
    assert usage.used == 15
    usage.end(10, stored=10)
    usage.end(5, stored=0)
    assert usage.used == 10


def test_what_arrives_while_the_store_is_asked_is_not_lost() -> None:
    usage = NamespaceUsage(None)
    usage.begin(10)
    usage.end(10, stored=10)
    included = usage.since
    usage.begin(7)
    usage.begin(3)
    usage.end(3, stored=3)
    usage.learn(stored=110, included=included)
    assert usage.used == 110 + 7 + 3


def test_a_usage_is_kept_while_it_tells_something() -> None:
    usage = NamespaceUsage(TokenBucket(RateLimit(tokens=1, per=1000, burst=1), now=0))
    assert usage.is_idle(0)
    assert usage.bucket is not None
    usage.bucket.try_spend(0)
    assert not usage.is_idle(0.5)
    assert usage.is_idle(1.5)
    usage.learn(stored=1, included=0)
    assert not usage.is_idle(1.5)
