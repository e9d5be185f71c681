"""Replays that are deleted when they have ended long enough ago."""

from __future__ import annotations

import logging
from typing import Any, cast

import pytest

from hookplane.units import format_time
from hookplane_operator.config.finished_replays import FinishedReplays, is_old
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError, NotLeader
from hookplane_operator.kube.kinds import REPLAY, Object, Resource
from hookplane_operator.kube.objects import Objects
from support.clocks.manual import START, ManualClock


def replay(name: str = "again", keep: Any = 60, **changes: Any) -> Object:
    status = {"state": "Complete", "completionTime": format_time(START)} | changes
    return {
        "metadata": {"namespace": "shop", "name": name, "uid": f"uid-of-{name}"},
        "spec": {} if keep is None else {"ttlSecondsAfterFinished": keep},
        "status": status,
    }


@pytest.mark.parametrize(
    ("body", "after", "old"),
    [
        (replay(), 59_000, False),
        (replay(), 60_000, True),
        (replay(state="Cancelled"), 60_000, True),
        (replay(keep=0), 0, True),
        (replay(keep=None), 10**9, False),
        (replay(state="Running"), 10**9, False),
        (replay(completionTime=None), 10**9, False),
        (replay(completionTime="yesterday"), 10**9, False),
        (replay() | {"status": None}, 10**9, False),
    ],
)
def test_who_has_ended_long_enough_ago(body: Object, after: int, old: bool) -> None:
    assert is_old(body, START + after) is old


def test_what_is_being_deleted_is_left_alone() -> None:
    body = replay()
    body["metadata"]["deletionTimestamp"] = format_time(START)
    assert not is_old(body, START + 10**9)


class Cluster:
    """Deletes what it is asked to, unless it has an error for the name."""

    def __init__(self) -> None:
        self.errors: dict[str, Exception] = {}
        self.deleted: list[tuple[str, str, str]] = []

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        assert resource is REPLAY
        if name in self.errors:
            raise self.errors[name]
        self.deleted.append((namespace, name, uid))


def made(cluster: Cluster, *bodies: Object) -> FinishedReplays:
    objects = Objects()
    for body in bodies:
        objects.put(REPLAY.kind, body)
    clock = ManualClock()
    clock.advance(60_000)
    return FinishedReplays(cast(Kube, cluster), objects, clock, lambda: True)


async def test_one_that_cannot_be_deleted_is_told_once_and_holds_up_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = Cluster()
    cluster.errors["first"] = ApiError(403, "no delete")
    finished = made(cluster, replay("first"), replay("second"), replay("young", keep=61))
    with caplog.at_level(logging.WARNING):
        await finished.delete_old()
        await finished.delete_old()
    assert cluster.deleted == [("shop", "second", "uid-of-second")] * 2
    (line,) = caplog.messages
    assert line.startswith("replay shop/first has ended and cannot be deleted: ")


async def test_another_leader_does_the_rest() -> None:
    cluster = Cluster()
    cluster.errors["first"] = NotLeader("not any more")
    await made(cluster, replay("first"), replay("second")).delete_old()
    assert cluster.deleted == []
