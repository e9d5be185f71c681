"""Which statuses are written, when and in which order. Time passes only when all wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, cast

import pytest
from prometheus_client import CollectorRegistry

from hookplane.compile.model import ObjectKey
from hookplane.kinds.conditions import ConditionType
from hookplane.kinds.endpoint import EndpointStatus, Requests
from hookplane.kinds.status import Condition
from hookplane_operator.kube.client import TIMEOUT_SECONDS, Kube
from hookplane_operator.kube.errors import ApiError, Conflict, NotFound, NotLeader
from hookplane_operator.kube.kinds import Object, Resource
from hookplane_operator.kube.objects import Objects
from hookplane_operator.metrics import Metrics
from hookplane_operator.status.budget import LEAST, MOST, USUAL
from hookplane_operator.status.writer import (
    COUNTERS_SECONDS,
    LONGEST_PAUSE_SECONDS,
    OF_NAMESPACE,
    SETTLE_SECONDS,
    StatusWriter,
)
from support.clocks.virtual import VirtualLoop

SOON = 0.3
"""Longer than the writer looks away."""


class ApiServer:
    """Takes statuses and notes when; `refuse` says what it answers instead."""

    def __init__(self) -> None:
        self.writes: list[tuple[float, str, Mapping[str, Any]]] = []
        self.refuse: list[Exception] = []
        self.tries: list[float] = []
        self.seconds = 0.0
        self.mute: set[str] = set()
        """Objects, or namespaces, of which nobody gets an answer."""
        self.foreign: dict[str, Any] = {}
        """What others have written into every status."""
        self.edits: list[Sequence[Object]] = []
        self.together = self.most_together = 0

    async def apply(self, resource: Resource, body: Object, *, part: str = "") -> Object:
        assert (resource.kind, part) == ("WebhookEndpoint", "status")
        self.together += 1
        self.most_together = max(self.most_together, self.together)
        at = asyncio.get_running_loop().time()
        name, namespace = body["metadata"]["name"], body["metadata"]["namespace"]
        lost = not self.mute.isdisjoint((name, namespace))
        await asyncio.sleep(TIMEOUT_SECONDS if lost else self.seconds)
        self.together -= 1
        self.tries.append(at)
        if lost:
            raise ApiError(0, "no answer")
        if self.refuse:
            raise self.refuse.pop(0)
        self.writes.append((at, name, body["status"]))
        whole = {**self.foreign, **body["status"]}
        return live(name, len(self.writes) + 1, namespace, status=whole)

    async def edit(
        self, _: Resource, body: Object, patch: Sequence[Object], *, part: str = ""
    ) -> Object:
        assert part == "status"
        self.edits.append(patch)
        name, status = body["metadata"]["name"], self.writes[-1][2]
        return live(name, len(self.writes) + 100, status=dict(status))


class World:
    """A writer, its API server, and what was told of writes."""

    def __init__(self, most: int) -> None:
        self.server, self.objects = ApiServer(), Objects()
        self.registry = CollectorRegistry()
        self.told: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = []
        self.refused: list[tuple[str, str]] = []
        self.writer = StatusWriter(
            cast(Kube, self.server),
            self.objects,
            Metrics(self.registry),
            self.objects.answered,
            lambda key, _, old, new: self.told.append((key.name, old, new)),
            lambda key, _, words: self.refused.append((key.name, words)),
            asyncio.get_running_loop().time,
            most,
        )

    def add(self, *names: str, namespace: str = "shop") -> None:
        for name in names:
            self.objects.put("WebhookEndpoint", live(name, 1, namespace))

    def offer(
        self, name: str, status: EndpointStatus, uid: str = "", namespace: str = "shop"
    ) -> None:
        self.writer.offer(key(name, namespace), uid or f"uid-{name}", status)

    @property
    def written(self) -> list[str]:
        return [name for _, name, _ in self.server.writes]


def key(name: str, namespace: str = "shop") -> ObjectKey:
    return ObjectKey("WebhookEndpoint", namespace, name)


def live(name: str, version: int, namespace: str = "shop", **fields: Any) -> Object:
    metadata = {
        "namespace": namespace,
        "name": name,
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "generation": 1,
    }
    return {"metadata": metadata, **fields}


def status(
    accepted: int = 0,
    *,
    state: str = "Idle",
    types: tuple[str, ...] = ("Accepted",),
    truth: Literal["True", "False", "Unknown"] = "True",
    message: str = "",
) -> EndpointStatus:
    conditions = [
        Condition(
            type=x,
            status=truth,
            reason="Accepted",
            message=message,
            last_transition_time="2026-01-01T00:00:00Z",
            observed_generation=1,
        )
        for x in types
    ]
    requests = Requests(
        accepted=accepted,
        duplicates=0,
        conflicts=0,
        rejected=0,
        rejected_by_reason={},
        stored=0,
    )
    return EndpointStatus(
        observed_generation=1, conditions=conditions, state=state, requests=requests
    )


def play(scene: Callable[[World], Coroutine[Any, Any, None]], most: int = USUAL) -> World:
    """Runs a scene beside a writer that may write so many statuses in a second."""

    async def both() -> World:
        world = World(most)
        running = asyncio.create_task(world.writer.run())
        try:
            await scene(world)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        return world

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(both())


def test_a_first_status_is_written_at_once_and_told() -> None:
    async def scene(world: World) -> None:
        world.add("a")
        world.offer("a", status())
        await asyncio.sleep(SOON)

    world = play(scene)
    assert world.written == ["a"]
    ((name, old, new),) = world.told
    assert (name, old, new["state"]) == ("a", {}, "Idle")
    assert world.registry.get_sample_value("hookplane_operator_status_writes_total") == 1


def test_the_same_status_writes_nothing() -> None:
    async def scene(world: World) -> None:
        world.add("a")
        world.offer("a", status(types=("Accepted", "Programmed")))
        await asyncio.sleep(SOON)
        # the order of conditions means nothing
        world.offer("a", status(types=("Programmed", "Accepted")))
        await asyncio.sleep(2 * COUNTERS_SECONDS)

    assert play(scene).written == ["a"]


def test_a_status_that_goes_back_before_it_was_written_writes_nothing() -> None:
    async def scene(world: World) -> None:
        world.add("a")
        world.offer("a", status())
        await asyncio.sleep(SOON)
        world.offer("a", status(state="Receiving"))
        world.offer("a", status())
        await asyncio.sleep(2 * COUNTERS_SECONDS)

    assert play(scene).written == ["a"]


def test_counters_are_written_once_a_minute_and_the_newest() -> None:
    async def scene(world: World) -> None:
        world.add("a")
        world.offer("a", status())
        for second in range(1, 151):
            await asyncio.sleep(1)
            world.offer("a", status(second))

    writes = play(scene).server.writes
    gaps = [b[0] - a[0] for a, b in pairwise(writes)]
    assert len(gaps) == 2
    assert all(COUNTERS_SECONDS <= gap < COUNTERS_SECONDS + SOON for gap in gaps)
    assert [x["requests"]["accepted"] for *_, x in writes] == [0, 60, 120]


def test_a_flip_does_not_wait_for_the_minute() -> None:
    async def scene(world: World) -> None:
        world.add("a")
        world.offer("a", status())
        await asyncio.sleep(SOON)
        world.offer("a", status(5))
        await asyncio.sleep(1)
        world.offer("a", status(6, state="Receiving"))
        await asyncio.sleep(SOON)

    writes = play(scene).server.writes
    assert [(x["state"], x["requests"]["accepted"]) for *_, x in writes] == [
        ("Idle", 0),
        ("Receiving", 6),
    ]


def test_the_minute_of_one_object_is_not_that_of_another() -> None:
    async def scene(world: World) -> None:
        world.add("a", "b")
        world.offer("a", status())
        await asyncio.sleep(30)
        world.offer("b", status())
        await asyncio.sleep(1)
        world.offer("a", status(1))
        world.offer("b", status(1))
        await asyncio.sleep(30)

    assert play(scene).written == ["a", "b", "a"]


def test_what_comes_into_force_soon_is_said_once() -> None:
    reconciling = ("Accepted", ConditionType.RECONCILING.value)

    async def scene(world: World) -> None:
        world.add("a", "b")
        world.offer("a", status(types=reconciling))
        world.offer("b", status(types=reconciling))
        await asyncio.sleep(SETTLE_SECONDS / 2)
        # looking again does not make it wait longer
        world.offer("a", status(types=reconciling))
        world.offer("b", status())
        await asyncio.sleep(SETTLE_SECONDS / 2 + SOON)

    world = play(scene)
    assert world.written == ["b", "a"]
    assert [len(x["conditions"]) for *_, x in world.server.writes] == [1, 2]


def test_flips_go_before_counters_and_all_within_the_budget() -> None:
    names = [f"n{n:03}" for n in range(4 * USUAL)]
    counting, flipping = names[: len(names) // 2], names[len(names) // 2 :]

    async def scene(world: World) -> None:
        world.add(*names)
        for name in counting:
            world.offer(name, status())
        await asyncio.sleep(COUNTERS_SECONDS * 2)
        world.server.writes.clear()
        for name in counting:
            world.offer(name, status(1))
        for name in flipping:
            world.offer(name, status(state="Receiving"))
        await asyncio.sleep(10)

    world = play(scene)
    assert set(world.written[: len(flipping)]) == set(flipping)
    assert set(world.written[len(flipping) :]) == set(counting)
    times = [at for at, *_ in world.server.writes]
    for n, at in enumerate(times):
        assert n + 1 <= USUAL + USUAL * (at - times[0]) + 1
    # the budget is used: nothing waits longer than it has to
    assert times[-1] - times[0] < (len(names) - USUAL) / USUAL + 1


def test_many_flips_are_written_faster_and_counters_are_not() -> None:
    """Of objects that are new, in ten namespaces. At the usual pace they take 75 s."""
    names = [f"n{n:05}" for n in range(1_500)]

    async def scene(world: World) -> None:
        for n, name in enumerate(names):
            world.add(name, namespace=f"t{n % 10}")
            world.offer(name, status(), namespace=f"t{n % 10}")
        await asyncio.sleep(30)
        assert len(world.written) == len(names)
        await asyncio.sleep(COUNTERS_SECONDS)
        world.server.writes.clear()
        for n, name in enumerate(names):
            world.offer(name, status(1), namespace=f"t{n % 10}")
        await asyncio.sleep(10)
        assert len(world.written) <= USUAL * 11 + MOST

    play(scene, most=MOST)


def test_a_server_that_asks_for_less_gets_less() -> None:
    names = [f"n{n:05}" for n in range(1_000)]

    async def scene(world: World) -> None:
        for n, name in enumerate(names):
            world.add(name, namespace=f"t{n % 10}")
            world.offer(name, status(), namespace=f"t{n % 10}")
        await asyncio.sleep(12)
        fast = len(world.written)
        await asyncio.sleep(1)
        assert len(world.written) - fast > 2 * USUAL
        world.server.refuse = [ApiError(429, "too many requests")] * 1_000
        await asyncio.sleep(20)
        world.server.refuse.clear()
        slow = len(world.written)
        await asyncio.sleep(1)
        assert 0 < len(world.written) - slow <= 2 * LEAST
        await asyncio.sleep(60)
        assert len(world.written) == len(names)

    play(scene, most=MOST)


def test_a_slow_server_gets_only_a_few_at_once() -> None:
    async def scene(world: World) -> None:
        world.server.seconds = 1
        names = [f"n{n}" for n in range(2 * OF_NAMESPACE)]
        world.add(*names)
        for name in names:
            world.offer(name, status())
        await asyncio.sleep(2 + 3 * SOON)

    world = play(scene)
    assert (world.server.most_together, len(world.written)) == (OF_NAMESPACE, 2 * OF_NAMESPACE)


def test_one_that_hangs_holds_up_no_other() -> None:
    async def scene(world: World) -> None:
        world.server.mute = {"a"}
        world.add("a", "b", "c")
        world.offer("a", status())
        world.offer("b", status())
        await asyncio.sleep(SOON)
        world.offer("c", status())
        world.offer("b", status(state="Receiving"))
        await asyncio.sleep(SOON)

    assert play(scene).written == ["b", "b", "c"]


def test_a_namespace_that_hangs_holds_up_no_other() -> None:
    async def scene(world: World) -> None:
        world.server.mute = {"stuck"}
        names = [f"n{n}" for n in range(USUAL)]
        world.add(*names, namespace="stuck")
        for name in names:
            world.offer(name, status(), namespace="stuck")
        await asyncio.sleep(SOON)
        world.add("b")
        world.offer("b", status())
        await asyncio.sleep(SOON)

    assert play(scene).written == ["b"]


def test_namespaces_take_turns() -> None:
    async def scene(world: World) -> None:
        names = [f"n{n:03}" for n in range(4 * USUAL)]
        world.add(*names, namespace="large")
        for name in names:
            world.offer(name, status(), namespace="large")
        await asyncio.sleep(1)
        world.add("b")
        world.offer("b", status())
        await asyncio.sleep(SOON)

    assert "b" in play(scene).written


def test_a_refused_write_is_told_once_and_tried_again_with_growing_pauses() -> None:
    async def scene(world: World) -> None:
        world.add("a", "b")
        world.server.refuse = [ApiError(422, "must be an object: null") for _ in range(99)]
        for _ in range(LOOKS):
            world.offer("a", status())
            await asyncio.sleep(1)
        world.server.refuse.clear()
        world.offer("b", status())
        await asyncio.sleep(SOON)

    world = play(scene)
    assert world.written == ["b"]
    assert world.refused == [("a", "must be an object: null")]
    gaps = [b - a for a, b in pairwise(world.server.tries[:-1])]
    grown = [min(2.0**n, LONGEST_PAUSE_SECONDS) for n in range(len(gaps))]
    assert len(gaps) >= 6
    assert all(want <= gap < want + 1 + SOON for gap, want in zip(gaps, grown, strict=True))
    sample = "hookplane_operator_status_refused_total"
    told = world.registry.get_sample_value(sample, {"kind": "WebhookEndpoint"})
    assert told == len(world.server.tries) - 1


LOOKS = 200


def test_another_status_than_the_refused_one_is_tried_at_once() -> None:
    async def scene(world: World) -> None:
        world.add("a")
        world.server.refuse = [ApiError(422, "no") for _ in range(6)]
        world.offer("a", status())
        await asyncio.sleep(40)
        assert not world.server.refuse
        world.offer("a", status(state="Receiving"))
        await asyncio.sleep(SOON)

    assert [x["state"] for *_, x in play(scene).server.writes] == ["Receiving"]


def test_what_is_empty_is_never_sent() -> None:
    async def scene(world: World) -> None:
        world.add("a")
        world.offer("a", status(types=()))
        await asyncio.sleep(SOON)

    ((_, _, sent),) = play(scene).server.writes
    assert "conditions" not in sent
    assert "rejectedByReason" not in sent["requests"]


def test_what_others_wrote_is_taken_out() -> None:
    async def scene(world: World) -> None:
        world.add("a")
        world.server.foreign = {"url": "https://elsewhere.example.com"}
        world.offer("a", status())
        await asyncio.sleep(SOON)
        world.offer("a", status())
        await asyncio.sleep(5)

    world = play(scene)
    assert world.server.edits == [[{"op": "remove", "path": "/status/url"}]]
    assert world.written == ["a"]


def test_an_error_is_tried_again_after_a_second_and_then_after_two() -> None:
    async def scene(world: World) -> None:
        world.add("a")
        world.server.refuse = [ApiError(500, "no"), Conflict(409, "another writer")]
        world.offer("a", status())
        await asyncio.sleep(3 + 3 * SOON)

    world = play(scene)
    (at, name, _), *more = world.server.writes
    assert (name, more, at >= 3) == ("a", [], True)


def test_a_newer_status_is_not_replaced_by_one_that_was_refused() -> None:
    async def scene(world: World) -> None:
        world.add("a")
        world.server.seconds = 1
        world.server.refuse = [ApiError(500, "no")]
        world.offer("a", status())
        await asyncio.sleep(0.5)
        world.offer("a", status(state="Receiving"))
        await asyncio.sleep(5)

    assert [x["state"] for *_, x in play(scene).server.writes] == ["Receiving"]


@pytest.mark.parametrize("error", [NotFound(404, "gone"), NotLeader("not the leader")])
def test_what_another_try_does_not_help_is_not_tried_again(error: Exception) -> None:
    async def scene(world: World) -> None:
        world.add("a")
        world.server.refuse = [error]
        world.offer("a", status())
        await asyncio.sleep(10)

    world = play(scene)
    assert (world.written, world.told, world.server.refuse) == ([], [], [])


def test_what_is_gone_is_not_written() -> None:
    async def scene(world: World) -> None:
        world.add("a", "b")
        world.offer("a", status())
        world.objects.drop(key("a"))
        # it was made anew under the same name
        world.offer("b", status(), uid="uid-of-another")
        world.offer("c", status())
        await asyncio.sleep(10)

    assert play(scene).written == []


def test_the_status_of_a_predecessor_is_forgotten() -> None:
    async def scene(world: World) -> None:
        world.add("a")
        world.offer("a", status())
        world.offer("a", status(), uid="uid-of-another")
        await asyncio.sleep(10)

    assert play(scene).written == []


def test_who_leads_no_longer_writes_nothing_that_waits() -> None:
    async def scene(world: World) -> None:
        world.add("a")
        world.offer("a", status())
        world.writer.clear()
        await asyncio.sleep(10)

    assert play(scene).written == []


def test_what_waits_is_counted() -> None:
    waiting: list[float | None] = []

    async def scene(world: World) -> None:
        def look() -> None:
            waiting.append(world.registry.get_sample_value("hookplane_operator_status_waiting"))

        world.add("a", "b")
        world.offer("a", status())
        world.offer("b", status())
        await asyncio.sleep(SOON)
        look()
        world.offer("a", status(1))
        await asyncio.sleep(SOON)
        look()
        await asyncio.sleep(COUNTERS_SECONDS + 1)
        look()

    play(scene)
    assert waiting == [2, 1, 0]


def test_a_condition_that_flips_is_written_at_once_and_one_that_is_reworded_later() -> None:
    async def scene(world: World) -> None:
        world.add("a", "b")
        world.offer("a", status())
        world.offer("b", status())
        await asyncio.sleep(SOON)
        world.offer("a", status(truth="False"))
        world.offer("b", status(message="in other words"))
        await asyncio.sleep(COUNTERS_SECONDS + SOON)

    (*_, flipped, reworded) = play(scene).server.writes
    assert (flipped[1], reworded[1]) == ("a", "b")
    assert flipped[0] < 1
    assert reworded[0] >= COUNTERS_SECONDS
