"""What is seen of the cluster reaches who works on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hookplane.clock import SystemClock
from hookplane_operator.gateways.user_objects import UserObjects
from hookplane_operator.kube.kinds import ENDPOINT, NAMESPACE, Object
from hookplane_operator.kube.objects import Objects
from hookplane_operator.routing import JobKind, KeyRouter, Task
from hookplane_operator.settings import OperatorSettings, Scope
from hookplane_operator.state.held_deletions import HeldDeletions
from hookplane_operator.state.seen_deletions import SeenDeletions
from support.planes.gateway_store import body

NOBODY = cast(Any, None)
DEFAULT, OTHER = ("home", "default"), ("home", "other")


@dataclass
class Scene:
    """Two gateways, and what is enqueued for them."""

    leads: bool = True
    objects: Objects = field(default_factory=Objects)
    deletions: SeenDeletions = field(default_factory=SeenDeletions)
    held: HeldDeletions = field(default_factory=HeldDeletions)
    """Of the default gateway."""
    tasks: list[Task] = field(default_factory=list)

    def router(self) -> KeyRouter:
        scope = Scope("home", ("home",), ())
        runtimes = {DEFAULT: self.runtime(self.held), OTHER: self.runtime(HeldDeletions())}
        return KeyRouter(
            objects=self.objects,
            deletions=self.deletions,
            user_objects=UserObjects(self.objects, OperatorSettings(image="x"), scope),
            secrets=NOBODY,
            gateways=cast(Any, SimpleNamespace(runtimes=runtimes)),
            collector=NOBODY,
            queue=cast(Any, SimpleNamespace(enqueue=self.tasks.append)),
            default=DEFAULT,
            clock=SystemClock(),
            leads=lambda: self.leads,
            is_writing=lambda _: False,
        )

    def runtime(self, held: HeldDeletions) -> SimpleNamespace:
        return SimpleNamespace(held=held, mark_dirty=lambda _: None)


def orders() -> Object:
    return body("orders", kind=ENDPOINT.kind)


@pytest.mark.parametrize("leads", [True, False])
@pytest.mark.parametrize(("type", "seen"), [("DELETED", True), ("MISSING", False)])
def test_what_a_watch_deletes_was_seen_and_what_a_list_misses_was_not(
    leads: bool,
    type: str,  # noqa: A002
    seen: bool,
) -> None:
    """Whoever leads next knows it, too."""
    scene = Scene(leads)
    router = scene.router()
    router.object_seen(ENDPOINT.kind, None, orders())
    router.object_seen(ENDPOINT.kind, type, orders())
    assert scene.deletions.has("uid-orders") is seen
    assert not scene.objects.has("uid-orders")


@pytest.mark.parametrize("type", [None, "ADDED"])
def test_what_is_there_again_was_not_deleted(type: str | None) -> None:  # noqa: A002
    scene = Scene()
    scene.deletions.saw("uid-orders")
    scene.router().object_seen(ENDPOINT.kind, type, orders())
    assert not scene.deletions.has("uid-orders")


def test_what_a_list_misses_is_looked_at_for_the_gateway_that_it_had() -> None:
    """The list tells but its name."""
    scene = Scene()
    router = scene.router()
    theirs = orders()
    theirs["spec"]["gatewayRef"] = {"name": "other"}
    router.object_seen(ENDPOINT.kind, None, theirs)
    scene.tasks.clear()
    stub = {"metadata": {"namespace": "shop", "name": "orders", "uid": "uid-orders"}}
    router.object_seen(ENDPOINT.kind, "MISSING", stub)
    assert scene.tasks == [Task(JobKind.CONFIG, OTHER)]


@pytest.mark.parametrize(
    ("type", "more"), [("MODIFIED", {"deletionTimestamp": "now"}), ("DELETED", {})]
)
def test_a_namespace_that_goes_lets_go_what_was_held_in_it(
    type: str,  # noqa: A002
    more: Object,
) -> None:
    scene = Scene(held=HeldDeletions({"shop": 12}))
    router = scene.router()
    for name in ("shop", "blog"):
        metadata = {"name": name, "uid": f"uid-of-{name}", "resourceVersion": "1"}
        router.object_seen(NAMESPACE.kind, None, {"metadata": metadata})
    scene.tasks.clear()
    for name in ("blog", "shop"):
        metadata = {"name": name, "uid": f"uid-of-{name}", "resourceVersion": "2"}
        router.object_seen(NAMESPACE.kind, type, {"metadata": metadata | more})
    assert scene.tasks == [Task(JobKind.SWEEP, DEFAULT)]
