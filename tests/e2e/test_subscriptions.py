"""Each thing that a subscription can do, seen at a real HTTP subscriber through `hookplane run`.

Schedules are shortened in the manifests, never in the code.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from support.clocks.until import until
from support.cluster.e2e import Received, plane, subscriber
from support.cluster.scene import ENDPOINT, Scene, subscription
from support.http.providers import WHSEC


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with subscriber() as target, plane(tmp_path) as running:
        running.write("endpoint", ENDPOINT.format(key=WHSEC))
        yield Scene(running, target)


def failing(times: int, status: int = 503, **headers: str) -> Any:
    """Answers the first so many requests with `status`."""
    left = [times]

    def answer(_: Received) -> web.Response:
        left[0] -= 1
        return web.Response(status=status if left[0] >= 0 else 200, headers=headers)

    return answer


async def test_retry_by_schedule(scene: Scene) -> None:
    scene.target.answer = failing(2)
    scene.subscribe("delivery: {retry: {schedule: [200ms, 600ms], jitterPercent: 0}}")
    await scene.plane.start()
    event = await scene.send()
    first, second, third = await scene.arrived(3)
    assert {first.event, second.event, third.event} == {event}
    assert second.at - first.at >= 0.2
    assert third.at - second.at >= 0.6
    for seen in scene.target.received:
        Webhook(WHSEC).verify(seen.body, seen.headers)
    await scene.until_status("the delivery to be counted", delivered=1, retrying=0)


async def test_dead_when_the_schedule_ends(scene: Scene) -> None:
    scene.target.answer = failing(99, status=500)
    scene.subscribe("delivery: {retry: {schedule: [100ms], jitterPercent: 0}}")
    await scene.plane.start()
    event = await scene.send()
    await scene.until_status("the delivery to be dead", dead=1, retrying=0)
    dead = await scene.plane.api("GET", "/deliveries?subscription=shop&state=dead")
    assert [(row["eventID"], row["statusCode"]) for row in dead["items"]] == [(event, 500)]
    assert len(scene.target.received) == 2


async def test_retry_after_is_obeyed_by_the_whole_subscription(scene: Scene) -> None:
    scene.target.answer = failing(1, 429, **{"Retry-After": "2"})
    scene.subscribe("delivery: {maxInFlight: 1, retry: {schedule: [100ms, 100ms, 100ms]}}")
    await scene.plane.start()
    await scene.send(n=1)
    await scene.arrived(1)
    await scene.send(n=2)
    seen = await scene.arrived(3)
    assert seen[1].at - seen[0].at >= 2
    await scene.until_status("both to be delivered", delivered=2)


async def test_gone_disables_and_resume_goes_on(scene: Scene) -> None:
    scene.target.answer = failing(1, 410)
    scene.subscribe("delivery: {retry: {schedule: [100ms, 1m]}}")
    await scene.plane.start()
    event = await scene.send()
    status = await scene.until_status("the subscription to be disabled", state="Disabled")
    assert status["delivery"]["retrying"] == 1
    later = await scene.send()
    assert len(scene.target.received) == 1
    answer = await scene.plane.api("POST", "/subscriptions/default/shop/resume", {})
    assert answer == {"namespace": "default", "name": "shop", "state": "Disabled"}
    await scene.arrived(3)
    assert set(scene.target.events[1:]) == {event, later}


async def test_no_success_for_long_disables_and_somebody_is_told(scene: Scene) -> None:
    def answer(seen: Received) -> web.Response:
        return web.Response(status=200 if seen.path == "/alerts" else 500)

    scene.target.answer = answer
    scene.subscribe(
        "delivery: {disableAfter: 1s, circuit: {failures: 1000}, "
        "retry: {schedule: [200ms, 200ms, 200ms, 200ms, 200ms, 200ms, 200ms, 1m]}}"
    )
    scene.subscribe("operationalEvents: true", name="alerts")
    await scene.plane.start()
    for _ in range(3):
        await scene.send()
    await scene.until_status("the subscription to be disabled", state="Disabled")
    told = await until(
        lambda: [x for x in scene.target.received if x.path == "/alerts"], "the alert"
    )
    notice = json.loads(told[0].body)
    assert notice["type"] == "hookplane.subscription.disabled"
    assert notice["data"]["name"] == "shop"


async def test_suspended_keeps_and_resumed_delivers(scene: Scene) -> None:
    scene.subscribe("suspend: true")
    await scene.plane.start()
    events = [await scene.send() for _ in range(3)]
    await scene.until_status("all to be kept", pending=3, state="Suspended")
    assert scene.target.received == []
    scene.subscribe()
    await scene.arrived(3)
    assert sorted(scene.target.events) == sorted(events)


async def test_strict_order_holds_those_behind(scene: Scene) -> None:
    scene.target.answer = failing(3)
    scene.subscribe("delivery: {ordering: Strict, retry: {schedule: [100ms, 100ms, 100ms, 1s]}}")
    await scene.plane.start()
    events = [await scene.send(n=n) for n in range(5)]
    await scene.arrived(8)
    assert scene.target.events == [events[0]] * 4 + events[1:]
    assert scene.target.most_concurrent == 1


async def test_rate(scene: Scene) -> None:
    scene.subscribe("delivery: {rate: {requests: 5, per: 1s, burst: 1}}")
    await scene.plane.start()
    for _ in range(6):
        await scene.send()
    seen = await scene.arrived(6)
    assert seen[5].at - seen[0].at >= 0.95  # five pauses of 200 ms, less the timer's grain


async def test_in_flight_cap(scene: Scene) -> None:
    import asyncio

    scene.target.hold = asyncio.Event()
    scene.subscribe("delivery: {maxInFlight: 3}")
    await scene.plane.start()
    for _ in range(8):
        await scene.send()
    await scene.arrived(3)
    scene.target.hold.set()
    await scene.arrived(8)
    await scene.until_status("all to be delivered", delivered=8)
    assert scene.target.most_concurrent <= 3


async def test_circuit_opens_probes_and_closes(scene: Scene) -> None:
    scene.target.answer = failing(4)
    scene.subscribe(
        "delivery: {maxInFlight: 1, circuit: {failures: 3, probeEvery: 1s, probeAtMostEvery: 1s}, "
        "retry: {schedule: [50ms, 50ms, 50ms, 50ms, 1m]}}"
    )
    await scene.plane.start()
    event = await scene.send()
    await scene.until_status("the circuit to open", state="CircuitOpen")
    other = await scene.send()
    await scene.until_status("both to be delivered", delivered=2, circuit="Closed")
    seen = scene.target.received
    assert seen[3].at - seen[2].at >= 1  # the first probe; it fails
    assert seen[4].at - seen[3].at >= 1  # the second; it closes the circuit
    assert {x.event for x in seen[:4]} == {event}
    assert other in scene.target.events
    # the second probe may be the other event, when the first is not written down yet
    both = [await scene.plane.api("GET", f"/attempts?event={x}") for x in (event, other)]
    assert sum(row["probe"] for found in both for row in found["items"]) == 2


async def test_filter_by_type_and_content(scene: Scene) -> None:
    scene.subscribe(
        'filter: {types: ["order.*"], cel: "event.body.data.amount > 100"}', name="shop"
    )
    await scene.plane.start()
    await scene.send("invoice.paid", amount=500)
    await scene.send("order.created", amount=5)
    failing_one = await scene.send("order.created")  # no amount: the filter fails
    wanted = await scene.send("order.created", amount=500)
    seen = await scene.until_status("filters to have run", delivered=1, filtered=3, filterErrors=1)
    assert seen["delivery"]["lastFilterError"]["eventID"] == failing_one
    assert scene.target.events == [wanted]


async def test_transform(scene: Scene) -> None:
    scene.subscribe(
        'transform: {cel: \'{"text": event.type + " " + string(event.body.data.amount), '
        '"id": event.id}\'}'
    )
    await scene.plane.start()
    event = await scene.send(amount=7)
    (seen,) = await scene.arrived(1)
    assert json.loads(seen.body) == {"text": "order.created 7", "id": event}
    assert seen.headers["content-type"] == "application/json"
    Webhook(WHSEC).verify(seen.body, seen.headers)


async def test_rotation_signs_with_both_keys_during_the_overlap(scene: Scene) -> None:
    scene.subscribe(signing="signing: {rotation: {every: 3s, overlap: 2s}}")
    await scene.plane.start()
    secrets = scene.plane.data / "secrets" / "default" / "shop-signing.json"
    first = json.loads(secrets.read_text())["key"]

    def rotated() -> Any:
        kept = json.loads(secrets.read_text())
        return kept if kept["key"] != first and kept.get("previous") == first else None

    kept = await until(rotated, "the key to be replaced")
    count = 0

    def both() -> list[Received]:
        return [
            x for x in scene.target.received if len(x.headers["webhook-signature"].split()) == 2
        ]

    while not both() and count < 20:
        count += 1
        await scene.send()
        await scene.arrived(count)
    seen = both()[0]
    for key in (kept["key"], kept["previous"]):
        Webhook(key).verify(seen.body, seen.headers)


async def test_ed25519(scene: Scene) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed = bytes(range(32))
    scene.plane.write(
        "ed",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: ed}\n"
        f"stringData: {{key: whsk_{base64.b64encode(seed).decode()}}}\n",
    )
    scene.subscribe(
        signing="signing: {scheme: StandardWebhooksEd25519, "
        "keys: [{secretKeyRef: {name: ed, key: key}}]}"
    )
    await scene.plane.start()
    await scene.send()
    (seen,) = await scene.arrived(1)
    version, _, signature = seen.headers["webhook-signature"].partition(",")
    content = f"{seen.event}.{seen.headers['webhook-timestamp']}.".encode() + seen.body
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    public.verify(base64.b64decode(signature), content)
    assert version == "v1a"


async def test_an_access_token_is_fetched_once_and_again_after_a_401(scene: Scene) -> None:
    tokens: list[str] = []

    def answer(seen: Received) -> web.Response:
        if seen.path == "/token":
            tokens.append(f"t{len(tokens)}")
            return web.json_response({"access_token": tokens[-1], "expires_in": 3600})
        return web.Response(status=401 if seen.headers["authorization"] == "Bearer t0" else 200)

    scene.target.answer = answer
    shop = subscription(scene.target.url, "delivery: {retry: {schedule: [100ms, 1s]}}")
    oauth2 = (
        f'/shop", authentication: {{oauth2: {{tokenURL: "{scene.target.url}/token", '
        "clientID: us, clientSecret: {secretKeyRef: {name: keys, key: signing}}}}"
    )
    scene.plane.write("shop", shop.replace('/shop"', oauth2))
    await scene.plane.start()
    await scene.send()
    await scene.until_status("it to be delivered", delivered=1, failedAttempts=1)
    await scene.send()
    await scene.until_status("the next to be delivered", delivered=2, failedAttempts=1)
    assert tokens == ["t0", "t1"]


async def test_start_in_the_past(scene: Scene) -> None:
    await scene.plane.start()
    events = [await scene.send() for _ in range(3)]
    scene.subscribe("startFrom: Earliest", name="early")
    await scene.arrived(3)
    scene.subscribe(name="late")
    await scene.until_status("the new subscription to be in force", name="late", state="Idle")
    events.append(await scene.send())
    await scene.arrived(5)
    early = [x.event for x in scene.target.received if x.path == "/early"]
    assert sorted(early) == sorted(events)  # order is promised only with Strict
    assert [x.event for x in scene.target.received if x.path == "/late"] == events[3:]


async def test_replay_by_id_range_and_state(scene: Scene) -> None:
    scene.target.answer = failing(2, 500)
    scene.subscribe("filter: {types: ['order.*']}\ndelivery: {retry: {schedule: [50ms]}}")
    await scene.plane.start()
    dead = await scene.send(n=1)
    await scene.until_status("the first to be dead", dead=1)
    delivered = await scene.send(n=2)
    filtered = await scene.send("invoice.paid")
    await scene.until_status("the rest to be settled", delivered=1, filtered=1)

    async def replay(**what: Any) -> set[str]:
        before = len(scene.target.received)
        job = await scene.plane.api("POST", "/replays", {"subscription": "shop", **what})
        path = f"/replays/{job['namespace']}/{job['name']}"
        done = await scene.plane.until_api(path, lambda x: x["state"] == "Complete", "the job")
        assert done["failed"] == 0
        seen = scene.target.received[before:]
        assert done["delivered"] == len(seen)
        assert all("hookplane-replay" in x.headers for x in seen)
        return {x.event for x in seen}

    assert await replay(ids=[delivered]) == {delivered}
    assert await replay(since="1h") == {dead}
    assert (await scene.status())["delivery"]["dead"] == 0
    assert await replay(since="1h", states=["filtered"]) == {filtered}
    assert await replay(since="1h", states=["all"]) == {dead, delivered, filtered}


async def test_replay_as_a_manifest_runs_once(scene: Scene) -> None:
    scene.subscribe()
    await scene.plane.start()
    event = await scene.send()
    await scene.until_status("it to be delivered", delivered=1)
    scene.plane.write(
        "again",
        "apiVersion: hookplane.dev/v1alpha1\nkind: WebhookReplay\nmetadata: {name: again}\n"
        f"spec: {{subscriptionRef: {{name: shop}}, events: {{ids: [{event}]}}}}\n",
    )
    await scene.arrived(2)
    await scene.plane.until_api(
        "/replays/default/again", lambda job: job["state"] == "Complete", "the job to end"
    )
    assert await scene.plane.stop() == 0
    await scene.plane.start()
    await scene.send()
    await scene.arrived(3)
    assert scene.target.events[:2] == [event, event]
    assert scene.target.events[2] != event


async def test_a_broken_manifest_keeps_the_last_good_state(scene: Scene) -> None:
    scene.subscribe()
    await scene.plane.start()
    good = subscription(scene.target.url)
    scene.plane.write("shop", good.replace("endpointRefs", "endpointRef"))
    await until(lambda: "endpointRef" in scene.plane.output(), "the problem to be reported")
    event = await scene.send()
    (seen,) = await scene.arrived(1)
    assert seen.event == event


async def taken_away_and_put_back(scene: Scene, name: str, path: str) -> None:
    """A manifest goes, until its object is gone, and comes back as it was."""
    file = scene.plane.manifests / f"{name}.yaml"
    text = file.read_text()
    file.unlink()
    await scene.plane.until_answered(path, 404)
    scene.plane.write(name, text)
    await scene.plane.until_answered(path, 200)


@pytest.mark.parametrize(
    ("name", "path"),
    [("shop", "/subscriptions/default/shop"), ("endpoint", "/endpoints/default/orders")],
)
async def test_a_manifest_that_comes_back_goes_on_where_it_was(
    scene: Scene, name: str, path: str
) -> None:
    scene.target.answer = failing(10**6)
    schedule = ", ".join(["1s"] * 20)
    scene.subscribe(f"delivery: {{retry: {{schedule: [{schedule}]}}, circuit: {{failures: 100}}}}")
    await scene.plane.start()
    sent = {await scene.send() for _ in range(3)}
    await scene.arrived(1)
    await taken_away_and_put_back(scene, name, path)
    scene.target.received.clear()
    scene.target.answer = failing(0)
    await until(lambda: set(scene.target.events) == sent, "all to be delivered")
    await scene.until_status("the same counts", delivered=3, pending=0, dead=0)


async def test_what_waited_for_a_subscription_waits_for_it_when_it_comes_back(scene: Scene) -> None:
    scene.subscribe("suspend: true")
    await scene.plane.start()
    sent = {await scene.send() for _ in range(3)}
    await scene.until_status("all to wait", pending=3)
    await taken_away_and_put_back(scene, "shop", "/subscriptions/default/shop")
    scene.subscribe()
    await until(lambda: set(scene.target.events) == sent, "all to be delivered")
    await scene.until_status("the same counts", delivered=3, expired=0)
