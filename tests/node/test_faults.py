"""Pods are killed, a runtime restarts, images roll, keys change, while events come: every accepted
event arrives. Each run's ledger is told at the end; for one alone: `make e2e ONLY="runtime"`.
"""

from __future__ import annotations

import base64
from typing import Final

import pytest

from support.clocks.blocking import until
from support.kubernetes.kubectl import condition
from support.kubernetes.manifests import Object, endpoint, key_of, secret
from support.node.figures import LEDGERS
from support.node.ledger import Ledger, ledger_of
from support.node.release import PATIENCE, Release, gateway, other_image
from support.node.tenant import Tenant, tenant

WAYS: Final = {"force": ("--grace-period=0", "--force"), "stop": ()}
"""Of ending a pod: at once as when a machine dies, or with time to finish."""
ROLES: Final = ("receiver", "dispatcher", "operator", "postgresql")


def nothing_lost(ledger: Ledger) -> None:
    LEDGERS.append(ledger)
    assert ledger.lost == 0
    assert ledger.renamed == 0, "a delivery that is repeated keeps its webhook-id"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("role", ROLES)
def test_a_pod_is_ended(release: Release, shop: Tenant, role: str, way: str) -> None:
    def act() -> None:
        victim = release.pods(role)[0]
        uid = release.kubectl.get("pod", victim)["metadata"]["uid"]
        release.kubectl.run("delete", "pod", victim, "--wait=false", *WAYS[way])
        until(lambda: uid not in uids(release, role), f"the end of {victim}", PATIENCE)
        release.settle()

    nothing_lost(ledger_of(f"{role} pod ended: {way}", shop, act))


def uids(release: Release, role: str) -> set[str]:
    selector = f"app.kubernetes.io/component={role}"
    return {x["metadata"]["uid"] for x in release.kubectl.list("pods", "-l", selector)}


def test_the_container_runtime_restarts(release: Release, shop: Tenant) -> None:
    def act() -> None:
        release.cluster.restart_runtime()
        release.settle()

    nothing_lost(ledger_of("container runtime restarted", shop, act))


def test_an_image_rolls_out_and_back_with_a_backlog(release: Release, shop: Tenant) -> None:
    """No request fails meanwhile: whoever is to stop is told nothing more before it stops."""

    def act() -> None:
        shop.ask("subscriber", "behave?status=503")
        release.upgrade(**other_image(release.cluster.next))
        shop.ask("subscriber", "behave?status=200")
        release.upgrade(**other_image(release.cluster.hookplane))

    ledger = ledger_of("image N → N+1 → N with a backlog", shop, act)
    nothing_lost(ledger)
    assert ledger.failures == {}


def test_a_gateway_grows_and_shrinks(release: Release, shop: Tenant) -> None:
    def act() -> None:
        for count in (1, 3, 1, 2):
            release.upgrade(defaultGateway={"spec": gateway(receivers=count, dispatchers=count)})

    ledger = ledger_of("gateway of 2 → 1 → 3 → 1 → 2 pods a role", shop, act)
    nothing_lost(ledger)
    assert ledger.failures == {}


def test_keys_rotate(shop: Tenant) -> None:
    """The sender goes on with the old key until its volume has the new one."""
    old = {name: key_of(shop.kubectl, name) for name in ("orders-verification", "shop-signing")}

    def act() -> None:
        for kind, name in (("whe", "orders"), ("whs", "shop")):
            shop.kubectl.run("annotate", kind, name, "hookplane.dev/rotate=1")
        until(lambda: all(key_of(shop.kubectl, x) != key for x, key in old.items()), "new keys")

    ledger = ledger_of("both keys rotated", shop, act)
    nothing_lost(ledger)
    assert ledger.failures == {}
    last = shop.ask("subscriber", "arrivals?most=100000")[-1]
    assert len(last["headers"]["webhook-signature"].split()) == 2, "both keys sign for a while"


def test_a_secret_is_deleted_and_restored(release: Release) -> None:
    """What comes meanwhile is refused with 503, and sent again."""
    key = f"whsec_{base64.b64encode(b'a key of 32 bytes, more or less!').decode()}"
    keys = {"keys": [{"secretKeyRef": {"name": "own", "key": "key"}}]}
    with tenant(release.cluster) as team:
        team.kubectl.apply(secret("own", key=key), secret("copy", key=key))
        team.run_subscriber()
        team.kubectl.apply(endpoint("orders", verification=keys), team.shop())
        team.await_ready("whe", "orders")
        team.await_ready("whs", "shop")
        team.run_sender("orders", "copy")

        def act() -> None:
            team.kubectl.run("delete", "secret", "own")
            team.kubectl.until("whe", "orders", has_no_secret, PATIENCE)
            until(lambda: "503" in team.ask("sender", "report")["failures"], "a refusal", PATIENCE)
            team.kubectl.apply(secret("own", key=key))
            team.await_ready("whe", "orders")

        ledger = ledger_of("Secret of a key deleted and restored", team, act)
        nothing_lost(ledger)
        assert ledger.failures.keys() == {"503"}


def has_no_secret(found: Object) -> bool:
    return condition(found, "SecretsResolved").get("status") == "False"


def test_a_tenant_goes_and_others_stay(release: Release, shop: Tenant) -> None:
    with tenant(release.cluster, "leaving") as other:
        other.run_subscriber()
        other.flow()
        other.run_sender("orders", "orders-verification")
        other.ask("sender", "start?rate=20&seconds=120")

        def act() -> None:
            other.kubectl.run("delete", "namespace", other.name, "--timeout=180s")

        ledger = ledger_of("another tenant's namespace deleted", shop, act)
    nothing_lost(ledger)
    assert ledger.failures == {}
