"""What is dirty goes into the store; what was changed does not wait for what was not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hookplane_operator.config.reconcile import RETRY
from support.planes.gateway_store import Place
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
