"""Many deletions at once, at a real API server: whose wait for a word, and whose do not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from support.clocks.blocking import until
from support.kubernetes.deletions import confirm_deletions, held_deletions
from support.kubernetes.installation import (
    Installation,
    gateway_spec,
    installation,
    reachable_address,
)
from support.kubernetes.kubectl import Kubectl, condition, is_ready
from support.kubernetes.manifests import Sender, endpoint

NAMES = [f"many-{number}" for number in range(12)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Its gateway serves three namespaces."""
    name = f"t-{os.urandom(4).hex()}"
    spec = gateway_spec(reachable_address()) | {"allowedNamespaces": {"from": "All"}}
    with installation(
        tmp_path_factory.mktemp("held"),
        name=name,
        watchNamespaces=[name, f"{name}-shop", f"{name}-blog"],
        defaultGateway={"enabled": True, "spec": spec},
    ) as made:
        yield made


def tenant(place: Installation, name: str) -> Iterator[Kubectl]:
    whole = f"{place.namespace}-{name}"
    place.kubectl.run("create", "namespace", whole)
    yield Kubectl(place.plane.admin, whole)
    place.kubectl.run("delete", "namespace", whole, "--ignore-not-found")


@pytest.fixture
def shop(place: Installation) -> Iterator[Kubectl]:
    yield from tenant(place, "shop")


@pytest.fixture
def blog(place: Installation) -> Iterator[Kubectl]:
    yield from tenant(place, "blog")


def serve(place: Installation, kubectl: Kubectl, *names: str) -> Callable[[str], int]:
    """Makes endpoints; what each answers to one more event."""
    kubectl.apply(*[endpoint(name) for name in names])
    for name in names:
        kubectl.until("whe", name, is_ready)
    senders = {name: Sender.of(kubectl, place.pods, name) for name in names}
    return lambda name: senders[name].post(os.urandom(4).hex())


def test_a_namespace_that_misses_much_waits_for_a_word_and_no_other_does(
    place: Installation, shop: Kubectl, blog: Kubectl
) -> None:
    theirs = serve(place, shop, *NAMES)
    ours = serve(place, blog, "first", "second", "third")
    place.operator.stop()
    shop.run("delete", "whe", *NAMES)
    blog.run("delete", "whe", "first")
    place.operator.start()
    until(lambda: ours("first") == 404, "what nobody was seen deleting")
    message = held_deletions(place.kubectl)
    assert f"12 of {shop.namespace}" in message
    assert blog.namespace not in message
    blog.run("delete", "whe", "second")
    until(lambda: ours("second") == 404, "what was deleted while others wait", 30)
    assert [theirs(name) for name in NAMES] == [200] * 12
    assert ours("third") == 200
    confirm_deletions(place.kubectl)
    until(lambda: [theirs(name) for name in NAMES] == [404] * 12, "what was confirmed")
    place.kubectl.until("whg", "default", lambda x: not condition(x, "SweepBlocked"), seconds=90)


def test_whatever_is_seen_to_be_deleted_goes_at_once(place: Installation, shop: Kubectl) -> None:
    answer = serve(place, shop, *NAMES)
    shop.run("delete", "whe", "--all")
    until(lambda: [answer(name) for name in NAMES] == [404] * 12, "the deletions in force", 60)
    place.settle()
    assert condition(place.kubectl.get("whg", "default"), "SweepBlocked") == {}


def test_a_namespace_that_was_deleted_while_nobody_watched_answers_no_more(
    place: Installation, shop: Kubectl
) -> None:
    answer = serve(place, shop, *NAMES)
    place.operator.stop()
    shop.run("delete", "namespace", shop.namespace)
    place.operator.start()
    until(lambda: [answer(name) for name in NAMES] == [404] * 12, "the end of its endpoints", 60)
    assert condition(place.kubectl.get("whg", "default"), "SweepBlocked") == {}
