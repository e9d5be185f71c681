"""What is dirty goes into the store; what was changed does not wait for what was not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hookplane.compile.model import ObjectKey
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.kinds.conditions import Reason
from hookplane.kinds.gateway import WebhookGateway
from hookplane_operator.config.reconcile import RETRY
from hookplane_operator.state.runtime import GatewayRuntime
from support.planes.gateway_store import Place, body
from support.planes.gateway_store import place as made_place


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with made_place() as made:
        yield made


async def test_a_change_does_not_wait_for_what_is_only_looked_through(
    place: Place,
) -> None:
    keys = {place.put(name) for name in "abcde"}
    runtime = await place.opened()
    runtime.mark_dirty(set(keys))
    await place.configurator.reconcile(runtime)
    assert await place.in_force() == dict.fromkeys("abcde", 1)
    configurator = place.make_configurator(looked_through=2)
    changed = {place.put("b", 2), place.put("new")}
    restarted = await place.opened()
    restarted.mark_dirty(keys | changed)
    assert await configurator.reconcile(restarted) == 0.0
    assert await place.in_force() == dict.fromkeys("acde", 1) | {"b": 2, "new": 1}
    assert len(restarted.dirty) == 2
    assert restarted.results.keys() == (keys | changed) - restarted.dirty
    await configurator.reconcile(restarted)
    assert restarted.dirty == set()
    assert restarted.results.keys() == keys | changed


async def test_many_that_are_new_go_together(place: Place) -> None:
    runtime = await place.opened()
    runtime.mark_dirty({place.put(name) for name in "abcde"})
    await place.make_configurator(looked_through=2).reconcile(runtime)
    assert runtime.dirty == set()
    assert await place.in_force() == dict.fromkeys("abcde", 1)


async def test_what_could_not_be_read_is_asked_for_again_whatever_else_comes(place: Place) -> None:
    waiting = place.put_for_service("waiting", "closed")
    runtime = await place.opened()
    runtime.mark_dirty({waiting})
    place.refused = {("shop", "closed")}
    place.meanwhile = lambda: runtime.mark_dirty([place.put("other")])
    assert await place.configurator.reconcile(runtime) == 0.0
    assert await place.configurator.reconcile(runtime) == RETRY / 1000
    assert await place.in_force() == {"other": 1}
    assert runtime.take_due(place.clock.now() + RETRY - 1) == set()
    place.refused, place.meanwhile = set(), lambda: None
    runtime.mark_dirty(runtime.take_due(place.clock.now() + RETRY))
    assert runtime.dirty == {waiting}
    assert await place.configurator.reconcile(runtime) is None
    assert await place.in_force() == {"other": 1, "waiting": 1}


async def test_those_who_deliver_to_services_are_not_compiled_again_with_each_change(
    place: Place,
) -> None:
    runtime = await place.opened()
    runtime.mark_dirty({place.put_for_service(f"to-service-{n}", f"web-{n}") for n in range(5)})
    assert await place.configurator.reconcile(runtime) is None
    assert runtime.take_due(place.clock.now() + 3_600_000) == set()


async def test_what_found_no_room_is_taken_when_something_leaves(place: Place) -> None:
    runtime = await place.opened()
    quotas = {"perNamespace": {"subscriptions": 2}}
    gateway = body("default", kind="WebhookGateway")
    gateway["spec"]["quotas"] = quotas
    runtime.renew(WebhookGateway.model_validate(gateway))
    first = [place.put("a"), place.put("b")]
    runtime.mark_dirty(first)
    await place.configurator.reconcile(runtime)
    late = place.put("c")
    runtime.mark_dirty([late])
    assert await place.configurator.reconcile(runtime) is None
    assert await place.in_force() == {"a": 1, "b": 1}
    (problem,) = runtime.results[late].problems
    assert problem.reason is Reason.QUOTA_EXCEEDED
    place.objects.drop(first[0])
    runtime.mark_dirty([first[0]])
    assert await place.configurator.reconcile(runtime) == 0.0
    await place.configurator.reconcile(runtime)
    assert (await place.in_force()).keys() >= {"b", "c"}


# What comes later ------------------------------------------------------------------------------


def endpoints_of(runtime: GatewayRuntime, name: str) -> tuple[str, ...]:
    document = runtime.applied.documents[f"uid-{name}"]
    assert isinstance(document, SubscriptionConfig)
    return document.endpoints


async def test_a_subscription_that_comes_later_finds_the_endpoints_that_are_there(
    place: Place,
) -> None:
    """And not one that is gone or was made anew, though its row is there until it is swept."""
    runtime = await place.opened()
    runtime.mark_dirty({place.put_endpoint(name) for name in ("orders", "gone", "anew")})
    await place.configurator.reconcile(runtime)
    place.objects.drop(ObjectKey("WebhookEndpoint", "shop", "gone"))
    anew = body("anew", kind="WebhookEndpoint")
    anew["metadata"] |= {"uid": "uid-of-another", "resourceVersion": "2"}
    place.objects.put("WebhookEndpoint", anew)
    runtime.mark_dirty({place.put("later")})
    await place.configurator.reconcile(runtime)
    assert endpoints_of(runtime, "later") == ("uid-orders",)


def put_replay(place: Place, name: str, subscription: str) -> ObjectKey:
    made = body(name)
    made["kind"] = "WebhookReplay"
    made["spec"] = {
        "subscriptionRef": {"name": subscription},
        "events": {"from": "2026-01-01T00:00:00Z"},
    }
    place.objects.put("WebhookReplay", made)
    return ObjectKey("WebhookReplay", "shop", name)


async def test_a_replay_is_made_once_and_when_its_subscription_is_there(place: Place) -> None:
    runtime = await place.opened()
    replays = {put_replay(place, "again", "shop"), put_replay(place, "early", "later")}
    runtime.mark_dirty({place.put("shop"), *replays})
    for _ in range(2):
        await place.configurator.reconcile(runtime)
        assert {x.uid for x in await place.store.replays()} == {"uid-again"}
        runtime.mark_dirty(replays)
    runtime.mark_dirty({place.put("later")})
    await place.configurator.reconcile(runtime)
    await place.configurator.reconcile(runtime)
    assert {x.uid for x in await place.store.replays()} == {"uid-again", "uid-early"}
    assert runtime.has_replay("uid-early")


def put_with_headers(place: Place, generation: int, stored: list[str]) -> set[ObjectKey]:
    """An endpoint that stores these headers, and two that read it, of which one asks for one."""
    endpoint = place.put_endpoint("e")
    made = place.objects.get(endpoint)
    assert made is not None
    made["metadata"]["generation"] = generation
    made["spec"]["storeHeaders"] = stored
    asking = body("asking")
    asking["spec"]["target"]["forwardHeaders"] = ["X-Tenant"]
    place.objects.put("WebhookSubscription", asking)
    return {endpoint, ObjectKey("WebhookSubscription", "shop", "asking"), place.put("other")}


def not_stored(runtime: GatewayRuntime) -> dict[str, list[str]]:
    """Name of each object that was compiled → fields that ask for what is not stored."""
    return {
        key.name: [x.path for x in result.problems if x.reason is Reason.HEADER_NOT_STORED]
        for key, result in runtime.results.items()
    }


async def test_who_asks_for_headers_hears_what_its_endpoint_stores_now(place: Place) -> None:
    keys = put_with_headers(place, 1, [])
    runtime = await place.opened()
    runtime.mark_dirty(keys)
    await place.configurator.reconcile(runtime)
    asking = ["spec.target.forwardHeaders[0]"]
    assert not_stored(runtime) == {"e": [], "asking": asking, "other": []}
    put_with_headers(place, 2, ["x-tenant"])
    runtime.mark_dirty({key for key in keys if key.name == "e"})
    await place.configurator.reconcile(runtime)
    assert not_stored(runtime) == {"e": [], "asking": [], "other": []}
    (endpoint,) = [x for x in runtime.applied.documents.values() if x.name == "e"]
    assert isinstance(endpoint, EndpointConfig)
    assert endpoint.store_headers == ("x-tenant",)
