"""What users do, each a function of the world; names are drawn, so the same seed does the same."""

from __future__ import annotations

import random
import time
from typing import Final

from support.chaos.tenants import (
    BROKEN_FILTER,
    ENDPOINTS,
    GATEWAY,
    HOME,
    KEY,
    READERS,
    SHARED,
    STEADY,
    TENANTS,
    Object,
    drawn_endpoint,
    namespace_object,
    placed,
    reader,
    shared_key,
)
from support.chaos.world import World, gateway
from support.clocks.blocking import until
from support.kubernetes.manifests import endpoint, made

ENDPOINT: Final = "WebhookEndpoint"
SUBSCRIPTION: Final = "WebhookSubscription"
PROPAGATIONS: Final = ("Background", "Foreground", "Orphan")
DRIFTS: Final = ("Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget", "ServiceAccount")
GONE_SECONDS: Final = 60.0
FINALIZER: Final = "example.com/backup"


def own_part(one: Object) -> Object:
    """What its user wrote of an object that was read."""
    metadata = {k: one["metadata"][k] for k in ("name", "namespace")}
    version = "hookplane.dev/v1alpha1"
    return {"apiVersion": version, "kind": one["kind"], "metadata": metadata, "spec": one["spec"]}


def _drawn(chance: random.Random) -> tuple[str, str, str]:
    """Kind, namespace and name of an object of a tenant."""
    kind = chance.choice([ENDPOINT, SUBSCRIPTION])
    return (
        kind,
        chance.choice(TENANTS),
        chance.choice([*(ENDPOINTS if kind == ENDPOINT else READERS)]),
    )


def populate(world: World, tenant: str) -> None:
    """A namespace with all that a tenant has."""
    space = world.api.apply(namespace_object(tenant))
    for name in ENDPOINTS:
        world.api.apply(placed(endpoint(name), tenant))
    for name in READERS:
        world.api.apply(reader(space, name, world.subscriber.url))


# Objects ------------------------------------------------------------------------------------------


def apply_one(world: World, chance: random.Random) -> None:
    kind, tenant, name = _drawn(chance)
    space = world.api.find("Namespace", "", tenant)
    if space is None:
        return
    if kind == ENDPOINT:
        world.api.apply(drawn_endpoint(tenant, name, chance))
    else:
        broken = {"filter": {"cel": BROKEN_FILTER}} if chance.random() < 0.2 else {}
        world.api.apply(reader(space, name, world.subscriber.url, **broken))


def suspend(world: World, chance: random.Random) -> None:
    _, tenant, _ = _drawn(chance)
    change = {"spec": {"suspend": chance.random() < 0.5}}
    name = chance.choice(ENDPOINTS)
    if world.api.find(ENDPOINT, tenant, name):
        world.api.merge(ENDPOINT, tenant, name, change)


def delete(world: World, chance: random.Random) -> None:
    kind, tenant, name = _drawn(chance)
    _doubt(world, kind, name)
    world.api.delete(kind, tenant, name, chance.choice(PROPAGATIONS))


def replace_by_force(world: World, chance: random.Random) -> None:
    """`kubectl replace --force`."""
    _make_again(world, chance, 0.0)


def make_again(world: World, chance: random.Random) -> None:
    """Deleted, and applied a while later."""
    _make_again(world, chance, chance.choice([0.5, 3.0]))


def _make_again(world: World, chance: random.Random, seconds: float) -> None:
    kind, tenant, name = _drawn(chance)
    found = world.api.find(kind, tenant, name)
    if found is None:
        return
    _doubt(world, kind, name)
    world.api.delete(kind, tenant, name)
    until(lambda: world.api.find(kind, tenant, name) is None, "the deletion", GONE_SECONDS)
    time.sleep(seconds)
    world.api.apply(own_part(found))


def churn(world: World, chance: random.Random) -> None:
    """One object, again and again: the others must not suffer from what looks like many."""
    tenant, name = chance.choice(TENANTS), chance.choice(ENDPOINTS)
    found = world.api.find(ENDPOINT, tenant, name)
    for _ in range(14 if found else 0):
        assert found is not None
        world.api.delete(ENDPOINT, tenant, name)
        until(lambda: world.api.find(ENDPOINT, tenant, name) is None, "the deletion", GONE_SECONDS)
        world.api.apply(own_part(found))


def flap(world: World, chance: random.Random) -> None:
    """Labels and annotations that somebody's tool writes all the time."""
    kind, tenant, name = _drawn(chance)
    if world.api.find(kind, tenant, name) is None:
        return
    for number in range(20):
        marks = {"example.com/seen": str(number)}
        world.api.merge(kind, tenant, name, {"metadata": {"labels": marks, "annotations": marks}})


def held_by_a_finalizer(world: World, chance: random.Random) -> None:
    """Somebody else's finalizer keeps a deleted object for a while."""
    kind, tenant, name = _drawn(chance)
    if world.api.find(kind, tenant, name) is None:
        return
    _doubt(world, kind, name)
    world.api.merge(kind, tenant, name, {"metadata": {"finalizers": [FINALIZER]}})
    world.api.delete(kind, tenant, name)

    def let_go() -> None:
        if world.api.find(kind, tenant, name):
            world.api.merge(kind, tenant, name, {"metadata": {"finalizers": None}})

    world.mends.append(let_go)


def ask_for_a_replay(world: World, chance: random.Random) -> None:
    tenant, subscription = chance.choice(TENANTS), chance.choice([*READERS])
    if world.api.find("Namespace", "", tenant) is None:
        return
    events = {"from": "2026-01-01T00:00:00Z", "states": ["Delivered"]}
    spec = {"subscriptionRef": {"name": subscription}, "events": events}
    name = f"again-{chance.randrange(1 << 32):x}"
    world.api.apply(placed(made("WebhookReplay", name, spec), tenant))


def _doubt(world: World, kind: str, name: str) -> None:
    if kind == SUBSCRIPTION:
        world.traffic.account.doubt(lambda reader: reader[1] == name)


# Namespaces ---------------------------------------------------------------------------------------


def delete_namespace(world: World, chance: random.Random) -> None:
    """With all that is in it; it may be made again."""
    tenant = chance.choice([x for x in TENANTS if x != STEADY])
    found = world.api.find("Namespace", "", tenant)
    if found is None:
        return
    uid = found["metadata"]["uid"]
    world.traffic.account.doubt(lambda reader: reader[0] == uid)
    world.api.delete("Namespace", "", tenant)


def make_namespace(world: World, chance: random.Random) -> None:
    """One that is there gets back what it lacks."""
    tenant = chance.choice(TENANTS)
    found = world.api.find("Namespace", "", tenant)
    if found is not None and "deletionTimestamp" in found["metadata"]:
        until(lambda: world.api.find("Namespace", "", tenant) is None, "its end", GONE_SECONDS)
    populate(world, tenant)


# Secrets ------------------------------------------------------------------------------------------


def write_secret(world: World, chance: random.Random) -> None:
    """Made, or another key than before."""
    tenant = chance.choice(TENANTS)
    if world.api.find("Namespace", "", tenant) is None:
        return
    found = world.api.find("Secret", tenant, SHARED)
    if found is not None and found.get("immutable"):
        world.api.delete("Secret", tenant, SHARED)
    world.api.apply(shared_key(tenant, chance))


def freeze_secret(world: World, chance: random.Random) -> None:
    tenant = chance.choice(TENANTS)
    if world.api.find("Secret", tenant, SHARED):
        world.api.merge("Secret", tenant, SHARED, {"immutable": True})


def empty_secret(world: World, chance: random.Random) -> None:
    tenant = chance.choice(TENANTS)
    found = world.api.find("Secret", tenant, SHARED)
    if found and not found.get("immutable"):
        world.api.merge("Secret", tenant, SHARED, {"data": {KEY: chance.choice(["", None])}})


def delete_secret(world: World, chance: random.Random) -> None:
    world.api.delete("Secret", chance.choice(TENANTS), SHARED)


def delete_generated_secret(world: World, chance: random.Random) -> None:
    """One that is ours to make; there is another soon."""
    name = f"{chance.choice(ENDPOINTS)}-verification"
    world.api.delete("Secret", chance.choice(TENANTS), name)


# What a gateway is made of ------------------------------------------------------------------------


def drift(world: World, chance: random.Random) -> None:
    """Somebody changes or deletes what is the operator's."""
    role, kind = chance.choice(["receiver", "dispatcher"]), chance.choice(DRIFTS)
    name = f"{GATEWAY}-{role}"
    if kind == "Deployment" and chance.random() < 0.7 and world.api.find(kind, HOME, name):
        world.api.merge(kind, HOME, name, {"spec": {"replicas": 2}})
    else:
        world.api.delete(kind, HOME, name, chance.choice(PROPAGATIONS))


def edit_gateway(world: World, chance: random.Random) -> None:
    spec = {
        "dispatcher": gateway()["spec"]["dispatcher"] | {"replicas": chance.choice([1, 2])},
        "console": {"enabled": chance.random() < 0.5},
    }
    world.api.apply(gateway(**spec))


def replace_gateway(world: World, chance: random.Random) -> None:
    """Deleted in one of the three ways, and applied again."""
    world.api.delete("WebhookGateway", HOME, GATEWAY, chance.choice(PROPAGATIONS))
    gone = lambda: world.api.find("WebhookGateway", HOME, GATEWAY) is None  # noqa: E731
    until(gone, "the deletion", GONE_SECONDS)
    time.sleep(chance.choice([0.0, 2.0]))
    world.api.apply(gateway())


def target_in_trouble(world: World, chance: random.Random) -> None:
    """Subscribers answer 503 for a while."""
    world.subscriber.status = 503

    def well_again() -> None:
        world.subscriber.status = 200

    world.mends.append(well_again)
