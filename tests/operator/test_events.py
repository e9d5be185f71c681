"""Which transitions of a status become Events of Kubernetes, and how they are written."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from hookplane.compile.model import ObjectKey
from hookplane_operator.events import PER_SECOND, QUEUE, Events, KubernetesEvent, kubernetes_events
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError, NotFound, NotLeader
from hookplane_operator.kube.kinds import EVENT, Object, Resource
from support.clocks.virtual import VirtualLoop

KEY = ObjectKey("WebhookSubscription", "shop", "to-shop")
BODY: Object = {"apiVersion": "hookplane.dev/v1", "metadata": {"uid": "uid-1"}}
GOOD, BAD, BROKEN = ("True", "Ready"), ("False", "TargetFails"), ("False", "CircuitOpen")
OTHERWISE_GOOD, UNKNOWN = ("True", "Idle"), ("Unknown", "Starting")
WRONG = ("True", "TooMany")
Truth = tuple[str, str]


def status(*told: Truth, type: str = "Ready", message: str = "") -> dict[str, Any]:  # noqa: A002
    return {
        "conditions": [
            {"type": type, "status": truth, "reason": reason, "message": message}
            for truth, reason in told
        ]
    }


def made(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(x.kind, x.reason, x.message) for x in kubernetes_events(KEY, BODY, before, after)]


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (None, GOOD, None),
        (None, UNKNOWN, None),
        (None, BAD, "Warning"),
        (GOOD, BAD, "Warning"),
        (UNKNOWN, BAD, "Warning"),
        (BAD, BROKEN, "Warning"),
        (BAD, BAD, None),
        (BAD, GOOD, "Normal"),
        (BAD, UNKNOWN, "Normal"),
        (UNKNOWN, GOOD, None),
        (GOOD, OTHERWISE_GOOD, None),
        (GOOD, GOOD, None),
    ],
)
def test_what_becomes_bad_is_a_warning_and_what_was_bad_is_told_when_it_ends(
    before: Truth | None, after: Truth, kind: str | None
) -> None:
    old = {} if before is None else status(before)
    expected = [] if kind is None else [(kind, after[1], "said")]
    assert made(old, status(after, message="said")) == expected


@pytest.mark.parametrize(
    ("type", "bad", "told"),
    [
        ("Ready", BAD, True),
        ("Delivering", BAD, True),
        ("Receiving", BAD, True),
        ("SweepBlocked", WRONG, True),  # there only while something is wrong
        ("KeysLost", WRONG, True),
        ("Complete", BAD, True),
        ("Accepted", BAD, False),
        ("Programmed", BAD, False),
    ],
)
def test_only_what_people_wait_for_is_told(
    type: str,  # noqa: A002
    bad: Truth,
    told: bool,
) -> None:
    events = made({}, status(bad, type=type))
    assert [kind for kind, *_ in events] == ["Warning"] * told
    assert made(status(bad, type=type), status(bad, type=type)) == []


def test_each_condition_is_compared_with_its_own_past() -> None:
    before = {
        "conditions": status(BAD)["conditions"] + status(GOOD, type="Delivering")["conditions"]
    }
    after = {"conditions": status(BAD)["conditions"] + status(BAD, type="Delivering")["conditions"]}
    (event,) = kubernetes_events(KEY, BODY, before, after)
    assert event == KubernetesEvent(
        KEY, "uid-1", "hookplane.dev/v1", "Warning", "TargetFails", "Delivering again"
    )


# Writing ----------------------------------------------------------------------------------------


class ApiServer:
    """Takes Events and notes when; `refuse` says what it answers instead."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, str, Object]] = []
        self.refuse: list[Exception] = []

    async def apply(self, resource: Resource, body: Object) -> None:
        await self._take("apply", resource, body)

    async def merge(self, resource: Resource, body: Object) -> None:
        await self._take("merge", resource, body)

    async def _take(self, call: str, resource: Resource, body: Object) -> None:
        assert resource is EVENT
        self.calls.append((asyncio.get_running_loop().time(), call, body))
        if self.refuse:
            raise self.refuse.pop(0)

    @property
    def names(self) -> list[tuple[str, str, int]]:
        """What was called with which name and count."""
        return [(call, x["metadata"]["name"], x["count"]) for _, call, x in self.calls]


def play(server: ApiServer, *turns: tuple[Truth, Truth], seconds: float = 100.0) -> None:
    """Writes what these transitions are worth."""

    async def whole() -> None:
        events = Events(cast(Kube, server), "replica-1")
        for before, after in turns:
            events.written(KEY, BODY, status(before), status(after, message="said"))
        running = asyncio.create_task(events.run())
        await asyncio.sleep(seconds)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(whole())


def test_an_event_names_its_object_and_who_says_so() -> None:
    server = ApiServer()
    play(server, (GOOD, BAD))
    ((_, call, body),) = server.calls
    assert (call, body["type"], body["reason"], body["message"]) == (
        "apply",
        "Warning",
        "TargetFails",
        "said",
    )
    assert body["involvedObject"] == {
        "apiVersion": "hookplane.dev/v1",
        "kind": "WebhookSubscription",
        "name": "to-shop",
        "namespace": "shop",
        "uid": "uid-1",
    }
    assert (body["metadata"]["namespace"], body["count"]) == ("shop", 1)
    assert body["reportingInstance"] == "replica-1"


def test_the_same_again_counts_up_one_object_and_another_reason_makes_another() -> None:
    server = ApiServer()
    play(server, (GOOD, BAD), (BAD, GOOD), (GOOD, BAD), (BAD, BROKEN), (GOOD, BAD))
    bad, good, _, broken, _ = (name for _, name, _ in server.names)
    assert len({bad, good, broken}) == 3
    assert server.names == [
        ("apply", bad, 1),
        ("apply", good, 1),
        ("merge", bad, 2),
        ("apply", broken, 1),
        ("merge", bad, 3),
    ]


class Vanishing(ApiServer):
    """Keeps no Event."""

    async def merge(self, resource: Resource, body: Object) -> None:
        await super().merge(resource, body)
        raise NotFound(404, "gone")


def test_one_that_vanished_from_the_cluster_is_made_again() -> None:
    server = Vanishing()
    play(server, (GOOD, BAD), (GOOD, BAD))
    assert [(call, count) for call, _, count in server.names] == [
        ("apply", 1),
        ("merge", 2),
        ("apply", 2),
    ]


@pytest.mark.parametrize("error", [ApiError(500, "no"), NotLeader("not the leader")])
def test_one_that_is_refused_holds_up_none_that_follow(error: Exception) -> None:
    server = ApiServer()
    server.refuse = [error]
    play(server, (GOOD, BAD), (BAD, GOOD))
    assert [x["reason"] for *_, x in server.calls] == ["TargetFails", "Ready"]


def test_so_many_a_second_are_written_and_no_more_wait_than_the_bound() -> None:
    server = ApiServer()
    play(server, *[(GOOD, BAD), (BAD, GOOD)] * QUEUE, seconds=2 * QUEUE / PER_SECOND)
    times = [at for at, *_ in server.calls]
    assert len(times) == QUEUE
    assert times[-1] == pytest.approx((QUEUE - 1) / PER_SECOND)
