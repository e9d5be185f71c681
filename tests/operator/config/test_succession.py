"""What is made again under its name goes on where it was, and nobody else does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from typing import Any, Final

import pytest

from hookplane.compile.change import ConfigDiff
from hookplane.compile.model import ObjectKey
from hookplane.config.subscription import SubscriptionConfig
from hookplane.kinds.gateway import WebhookGateway
from hookplane.store.config_store import ConfigChange, ConfigKind
from hookplane.store.event_log import NewEvent
from hookplane.store.queries import SubscriptionStats
from hookplane_operator.config.succession import RESTORED
from hookplane_operator.state.runtime import GatewayRuntime
from support.planes.gateway_store import CLOCK, Place, body
from support.planes.gateway_store import place as made_place
from support.planes.store import EventIds

ENDPOINT, SUBSCRIPTION = "WebhookEndpoint", "WebhookSubscription"
ACCEPTED: Final = 3


class Shop:
    """Endpoint `orders` and subscription `mail`, which reads it and has a backlog."""

    def __init__(self, place: Place, runtime: GatewayRuntime) -> None:
        self.place = place
        self.runtime = runtime
        self._versions = count(1)
        self._ids = EventIds()

    def put(self, kind: str, name: str, uid: str, **changes: Any) -> None:
        """`namespace` is of its metadata, others of its spec."""
        namespace = changes.pop("namespace", "shop")
        made = body(name, kind=kind)
        made["metadata"] |= {
            "namespace": namespace,
            "uid": uid,
            "labels": {"app": "shop"},
            "resourceVersion": str(next(self._versions)),
        }
        made["spec"] |= changes
        self.place.objects.put(kind, made)
        self.runtime.mark_dirty([ObjectKey(kind, namespace, name)])

    def drop(self, kind: str, name: str) -> None:
        key = ObjectKey(kind, "shop", name)
        self.place.objects.drop(key)
        self.runtime.mark_dirty([key])

    async def settle(self) -> None:
        while await self.place.configurator.reconcile(self.runtime) == 0.0:
            pass

    async def sweep(self, *uids: str) -> None:
        """What a sweep does with objects that are in no list."""
        gone = tuple(self.runtime.applied.documents[uid] for uid in uids)
        await self.runtime.applied.write(ConfigDiff(deleted=gone))

    async def restart(self) -> None:
        """Another operator goes on with what the store has."""
        self.runtime = await self.place.opened()

    async def arrive(self, uid: str, number: int = 1) -> None:
        for _ in range(number):
            event = NewEvent(uid, self._ids.next(), CLOCK.now(), "order.created", (), b"{}")
            await self.place.store.append(event)

    async def status(self, uid: str) -> SubscriptionStats:
        return (await self.place.store.subscription_stats([uid]))[0]

    async def left(self, uid: str) -> tuple[int, int]:
        """How many pend, and how many have expired."""
        status = await self.status(uid)
        return status.pending, status.counters.expired

    def reads(self, uid: str) -> tuple[str, ...]:
        document = self.runtime.applied.documents[uid]
        assert isinstance(document, SubscriptionConfig)
        return document.endpoints


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with made_place() as place:
        made = Shop(place, await place.opened())
        made.put(ENDPOINT, "orders", "orders-1")
        made.put(SUBSCRIPTION, "mail", "mail-1")
        await made.settle()
        await made.arrive("orders-1", ACCEPTED)
        yield made


async def test_a_subscription_that_is_replaced_goes_on(shop: Shop) -> None:
    shop.put(SUBSCRIPTION, "mail", "mail-2")
    await shop.settle()
    await shop.arrive("orders-1")
    assert await shop.left("mail-2") == (ACCEPTED + 1, 0)
    assert "mail-1" not in shop.runtime.applied.documents


@pytest.mark.parametrize("restarted", [False, True])
async def test_one_that_was_swept_goes_on_when_it_comes_back(shop: Shop, restarted: bool) -> None:
    shop.drop(SUBSCRIPTION, "mail")
    await shop.settle()
    await shop.sweep("mail-1")
    await shop.arrive("orders-1")
    if restarted:
        await shop.restart()
    shop.put(SUBSCRIPTION, "mail", "mail-2")
    await shop.settle()
    assert await shop.left("mail-2") == (ACCEPTED + 1, 0)


async def test_made_again_twice_and_first_with_an_error_it_goes_on(shop: Shop) -> None:
    wrong = {"target": {"url": "https://10.0.0.1"}}
    shop.put(SUBSCRIPTION, "mail", "mail-2", **wrong)
    await shop.settle()
    assert "mail-2" not in shop.runtime.applied.documents
    await shop.sweep("mail-1")
    for uid in ("mail-3", "mail-4"):
        shop.put(SUBSCRIPTION, "mail", uid)
        await shop.settle()
    assert await shop.left("mail-4") == (ACCEPTED, 0)


@pytest.mark.parametrize("first", [ENDPOINT, SUBSCRIPTION])
@pytest.mark.parametrize("swept", [False, True])
@pytest.mark.parametrize("restarted", [False, True])
async def test_all_of_it_deleted_and_applied_goes_on(
    shop: Shop, first: str, swept: bool, restarted: bool
) -> None:
    """Whichever comes back first."""
    shop.drop(ENDPOINT, "orders")
    shop.drop(SUBSCRIPTION, "mail")
    await shop.settle()
    if swept:
        await shop.sweep("orders-1", "mail-1")
    kinds = [ENDPOINT, SUBSCRIPTION]
    for kind in kinds if first == ENDPOINT else kinds[::-1]:
        if restarted:
            await shop.restart()
        name = "orders" if kind == ENDPOINT else "mail"
        shop.put(kind, name, f"{name}-2")
        await shop.settle()
    await shop.arrive("orders-2")
    assert await shop.left("mail-2") == (ACCEPTED + 1, 0)
    assert shop.reads("mail-2") == ("orders-2",)


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_endpoint_that_is_replaced_has_its_log(shop: Shop, restarted: bool) -> None:
    shop.drop(ENDPOINT, "orders")
    await shop.settle()
    await shop.sweep("orders-1")
    if restarted:
        await shop.restart()
    shop.put(ENDPOINT, "orders", "orders-2")
    await shop.settle()
    await shop.arrive("orders-2")
    assert await shop.left("mail-1") == (ACCEPTED + 1, 0)
    assert shop.reads("mail-1") == ("orders-2",)


async def test_who_reads_it_and_cannot_be_compiled_now_goes_on_too(shop: Shop) -> None:
    service = {"target": {"serviceRef": {"name": "web", "port": 80}}}
    shop.put(SUBSCRIPTION, "mail", "mail-1", **service)
    await shop.settle()
    shop.place.refused = {("shop", "web")}
    shop.place.clock.advance(3_600_000)
    shop.put(ENDPOINT, "orders", "orders-2")
    shop.put(SUBSCRIPTION, "mail", "mail-1", **service, suspend=True)
    await shop.place.configurator.reconcile(shop.runtime)
    await shop.arrive("orders-2")
    assert shop.reads("mail-1") == ("orders-2",)
    assert await shop.left("mail-1") == (ACCEPTED + 1, 0)


async def test_an_endpoint_that_nobody_selects_any_more_is_still_delivered(shop: Shop) -> None:
    """It was deleted with a backlog, and who reads it is made again."""
    shop.drop(ENDPOINT, "orders")
    await shop.settle()
    await shop.sweep("orders-1")
    shop.put(SUBSCRIPTION, "mail", "mail-2")
    await shop.settle()
    assert shop.reads("mail-2") == ("orders-1",)
    assert await shop.left("mail-2") == (ACCEPTED, 0)


# Others -------------------------------------------------------------------------------------------


async def test_a_namespace_of_the_same_name_takes_nothing_over(shop: Shop) -> None:
    shop.drop(ENDPOINT, "orders")
    shop.drop(SUBSCRIPTION, "mail")
    await shop.settle()
    await shop.sweep("orders-1", "mail-1")
    shop.place.namespaces = {"shop": "uid-of-another"}
    shop.put(ENDPOINT, "orders", "orders-2")
    shop.put(SUBSCRIPTION, "mail", "mail-2", startFrom="Earliest")
    await shop.settle()
    assert await shop.left("mail-2") == (0, 0)
    assert shop.reads("mail-2") == ("orders-2",)


async def test_the_api_server_and_not_a_watch_says_which_namespace_it_is(shop: Shop) -> None:
    """The watch of namespaces lags: it still has the one that is gone."""
    old = {"metadata": {"name": "shop", "uid": "uid-of-shop", "resourceVersion": "1"}}
    shop.place.objects.put("Namespace", old)
    shop.place.namespaces = {"shop": "uid-of-another"}
    shop.put(SUBSCRIPTION, "mail", "mail-2")
    await shop.settle()
    assert await shop.left("mail-2") == (0, 0)


@pytest.mark.parametrize("forbidden", [False, True])
async def test_without_knowing_the_namespace_nothing_is_taken_over(
    shop: Shop, forbidden: bool
) -> None:
    shop.place.namespaces = {"shop": None}
    shop.place.namespaces_forbidden = forbidden
    shop.put(SUBSCRIPTION, "mail", "mail-2")
    await shop.settle()
    assert await shop.left("mail-2") == (0, 0)


async def test_a_restored_namespace_goes_on_when_the_gateway_says_so(shop: Shop) -> None:
    shop.drop(ENDPOINT, "orders")
    shop.drop(SUBSCRIPTION, "mail")
    await shop.settle()
    await shop.sweep("orders-1", "mail-1")
    annotate(shop, "other=uid-of-other, shop=uid-of-shop")
    shop.place.namespaces = {"shop": "uid-of-the-restored"}
    shop.put(ENDPOINT, "orders", "orders-2")
    shop.put(SUBSCRIPTION, "mail", "mail-2")
    await shop.settle()
    assert await shop.left("mail-2") == (ACCEPTED, 0)
    shop.put(SUBSCRIPTION, "mail", "mail-3")
    await shop.settle()
    assert await shop.left("mail-3") == (ACCEPTED, 0)


async def test_nobody_is_restored_from_who_still_lives(shop: Shop) -> None:
    annotate(shop, "other=uid-of-shop")
    shop.put(SUBSCRIPTION, "mail", "stranger", namespace="other")
    await shop.settle()
    assert await shop.left("stranger") == (0, 0)
    assert await shop.left("mail-1") == (ACCEPTED, 0)


def annotate(shop: Shop, restored: str) -> None:
    gateway = shop.runtime.gateway
    metadata = gateway.metadata.model_copy(update={"annotations": {RESTORED: restored}})
    shop.runtime.renew(WebhookGateway.model_copy(gateway, update={"metadata": metadata}))


async def test_what_was_written_before_places_were_known_gets_one(shop: Shop) -> None:
    """And nobody is told of a new version."""
    known = (ConfigKind.SUBSCRIPTION, "mail-1")
    await shop.place.store.apply_config(ConfigChange(places=((*known, ""),)))
    await shop.restart()
    assert shop.runtime.applied.places["mail-1"] == ""
    versions = dict(shop.runtime.applied.versions)
    shop.runtime.mark_dirty([ObjectKey(SUBSCRIPTION, "shop", "mail")])
    await shop.settle()
    await shop.restart()
    assert shop.runtime.applied.places["mail-1"] == "uid-of-shop/mail"
    assert shop.runtime.applied.versions == versions
