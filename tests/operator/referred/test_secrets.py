"""Many Secrets: a bounded number of requests at a time, and of those that are read again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from hookplane.compile.model import ALLOW_REFERENCE, SecretObject
from hookplane.secret import Secret
from hookplane_operator.kube.errors import ApiError
from hookplane_operator.kube.kinds import Object
from hookplane_operator.referred.polling_cache import AT_ONCE, Name, for_each
from hookplane_operator.referred.secrets import (
    GENERATED,
    GENERATED_FOR,
    GIVEN,
    FoundSecret,
    secrets_in_use,
)
from support.clocks.manual import ManualClock


async def _most_at_once(count: int) -> tuple[list[int], int]:
    """What was done, and how much of it at a time."""
    done: list[int] = []
    running = most = 0

    async def work(item: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        done.append(item)

    await for_each(range(count), work)
    return done, most


def test_all_are_done_and_no_more_than_the_bound_at_a_time() -> None:
    done, most = asyncio.run(_most_at_once(10 * AT_ONCE))
    assert sorted(done) == list(range(10 * AT_ONCE))
    assert most == AT_ONCE


def test_nothing_is_done_with_nothing() -> None:
    assert asyncio.run(_most_at_once(0)) == ([], 0)


# Reading again ----------------------------------------------------------------------------------


class Cluster:
    """Secrets that there are, and which were read."""

    def __init__(self) -> None:
        self.values: dict[Name, str] = {}
        self.labels: dict[Name, dict[str, str]] = {}
        self.refused: set[Name] = set()
        self.read: list[Name] = []
        self.meanwhile: Callable[[], None] = lambda: None
        """Called with each read."""

    async def find(self, name: Name) -> Object | None:
        self.read.append(name)
        self.meanwhile()
        if name in self.refused:
            raise ApiError(503, "not now")
        if name not in self.values:
            return None
        own = {GENERATED_FOR: "uid"} if name[1].startswith("generated") else {}
        labels = {**own, **self.labels.get(name, {})}
        metadata = {"namespace": name[0], "name": name[1], "uid": name[1], "labels": labels}
        return {"metadata": metadata, "data": {"key": self.values[name]}}


class Scene:
    """Secrets in use, and whose change was told."""

    def __init__(self, *names: str) -> None:
        self.cluster, self.clock = Cluster(), ManualClock()
        self.changed: list[Name] = []
        self.secrets = secrets_in_use(self.cluster.find, self.clock, self.changed.append)
        self.names = [("shop", name) for name in names]
        self.cluster.values = dict.fromkeys(self.names, "b25l")

    async def begin(self) -> None:
        self.secrets.use("user", frozenset(self.names))
        await self.secrets.read(self.names)
        self.cluster.read.clear()
        self.clock.advance(int(GIVEN.after * 1000))

    async def second(self) -> list[str]:
        """What was read in it."""
        self.cluster.read.clear()
        await self.secrets.refresh()
        self.clock.advance(1000)
        return [name for _, name in self.cluster.read]


async def test_a_change_is_noticed_within_a_minute() -> None:
    scene = Scene("given", "generated")
    await scene.begin()
    scene.cluster.values[scene.names[0]] = "dHdv"
    assert sorted(await scene.second()) == ["generated", "given"]
    assert scene.changed == [("shop", "given")]
    assert await scene.second() == []


async def test_thousands_of_generated_ones_hold_up_nobody() -> None:
    given = [f"given-{number}" for number in range(30)]
    scene = Scene(*given, *(f"generated-{number}" for number in range(1000)))
    await scene.begin()
    rounds = [await scene.second() for _ in range(3)]
    assert sorted(x for read in rounds for x in read if x in given) == sorted(given)
    assert [len(read) for read in rounds] == [GIVEN.per_second + GENERATED.per_second] * 3


async def test_a_namespace_with_thousands_holds_up_no_other() -> None:
    scene = Scene(*(f"given-{number}" for number in range(1000)))
    others = [(f"other-{number}", "given") for number in range(30)]
    scene.names += others
    scene.cluster.values |= dict.fromkeys(others, "b25l")
    await scene.begin()
    for name in others:
        scene.cluster.values[name] = "dHdv"
    rounds = [await scene.second() for _ in range(4)]
    assert sorted(scene.changed) == sorted(others)
    assert [len(read) for read in rounds] == [GIVEN.per_second] * 4


async def test_what_cannot_be_read_stays_as_it_was_and_lets_others_pass() -> None:
    scene = Scene(*(f"given-{number:02}" for number in range(20)))
    await scene.begin()
    scene.cluster.refused = set(scene.names[:10])
    read = [*await scene.second(), *await scene.second()]
    assert len(read) == len(set(read)) == 20
    assert scene.changed == []
    found = await scene.secrets.read(scene.names)
    assert all(isinstance(x, FoundSecret) for x in found.values())


async def test_one_that_is_used_no_more_is_read_no_more() -> None:
    scene = Scene("given", "generated")
    await scene.begin()
    scene.secrets.use("user", frozenset())
    assert await scene.second() == []


async def test_what_was_written_while_it_was_read_again_counts() -> None:
    scene = Scene("generated")
    await scene.begin()
    (name,) = scene.names
    written = FoundSecret(SecretObject(*name, {"key": Secret("new")}, generated=True), "uid")
    scene.cluster.meanwhile = lambda: scene.secrets.put(name, written)
    assert await scene.second() == ["generated"]
    assert (await scene.secrets.read([name])) == {name: written}
    assert scene.changed == []


async def test_who_gives_up_reading_is_not_answered_by_it() -> None:
    asked, never = asyncio.Event(), asyncio.Event()

    async def find(_name: Name) -> Object | None:
        asked.set()
        await never.wait()
        return None

    secrets = secrets_in_use(find, ManualClock(), lambda _: None)
    secrets.use("user", frozenset({("shop", "given")}))
    reading = asyncio.create_task(secrets.read([("shop", "given")]))
    await asked.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_a_label_that_comes_is_noticed_like_a_value() -> None:
    scene = Scene("given")
    await scene.begin()
    (name,) = scene.names
    scene.cluster.labels[name] = {ALLOW_REFERENCE: "true"}
    await scene.second()
    assert scene.changed == [name]
    found = (await scene.secrets.read([name]))[name]
    assert isinstance(found, FoundSecret)
    assert found.secret.labelled
