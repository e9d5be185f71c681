"""Who is alive, and who may own a subscription."""

from __future__ import annotations

import pytest

from hookplane.errors import LeaseLost, OwnedElsewhere, StaleOwner
from hookplane.store.delivery_store import Counters, Flush
from hookplane.store.notifications import Topic
from hookplane.store.process_registry import LEASE, Presence, Role, Sighting
from support.planes.store import Scene

READY = Presence(ready=True, version=7, refused={"uid": "why"})
STARTING = Presence(ready=False, version=0)


async def join(scene: Scene, instance: str) -> int:
    return await scene.store.register(Role.DISPATCHER, instance, READY)


async def test_everybody_sees_who_is_alive(scene: Scene) -> None:
    a = await scene.store.register(Role.RECEIVER, "a", STARTING)
    b = await join(scene, "b")
    await scene.store.heartbeat(a, READY)
    members = await scene.store.heartbeat(b, READY)
    assert [(x.process, x.role, x.instance, x.presence) for x in members] == [
        (a, Role.RECEIVER, "a", READY),
        (b, Role.DISPATCHER, "b", READY),
    ]
    assert await scene.store.members() == members
    await scene.store.leave(a)
    assert [x.process for x in await scene.store.heartbeat(b, READY)] == [b]


async def test_everybody_hears_who_comes_and_who_leaves(scene: Scene) -> None:
    heard: list[str] = []
    scene.store.listen(Topic.PROCESSES, heard.append)
    a = await join(scene, "a")
    assert len(heard) == 1
    await scene.store.heartbeat(a, READY)
    assert len(heard) == 1
    await scene.store.leave(a)
    assert len(heard) == 2


async def seen(scene: Scene, of: int, by: int) -> Sighting:
    """What one process sees of another."""
    (found,) = [x for x in await scene.store.look(by) if x.process == of]
    return found


async def test_each_sees_the_others_and_a_pulse_for_each_heartbeat(scene: Scene) -> None:
    a, b = await join(scene, "a"), await join(scene, "b")
    assert [x.process for x in await scene.store.look(b)] == [a]
    pulses = []
    for _ in range(3):
        pulses.append(await seen(scene, a, b))
        assert pulses[-1] == await seen(scene, a, b)
        await scene.store.heartbeat(a, READY)
    assert len({x.pulse for x in pulses}) == 3
    assert not any(x.gone for x in pulses)


async def test_who_was_declared_dead_is_never_revived(scene: Scene) -> None:
    late, other = await join(scene, "late"), await join(scene, "other")
    third = await join(scene, "third")
    heard: list[str] = []
    scene.store.listen(Topic.PROCESSES, heard.append)
    await scene.store.declare_dead([await seen(scene, late, other)])
    assert heard == [""]
    with pytest.raises(LeaseLost):
        await scene.store.heartbeat(late, READY)
    with pytest.raises(LeaseLost):
        await scene.store.look(late)
    assert [x.process for x in await scene.store.heartbeat(other, READY)] == [other, third]
    assert [x.process for x in await scene.store.look(other)] == [third]
    again = await join(scene, "late")
    assert again != late
    assert len(await scene.store.heartbeat(again, READY)) == 3


async def test_whoever_gave_a_sign_since_is_not_dead(scene: Scene) -> None:
    a, b, c = await join(scene, "a"), await join(scene, "b"), await join(scene, "c")
    before = [await seen(scene, x, b) for x in (a, c)]
    await scene.store.heartbeat(a, READY)
    await scene.store.declare_dead(before)
    assert [x.process for x in await scene.store.heartbeat(a, READY)] == [a, b]
    heard: list[str] = []
    scene.store.listen(Topic.PROCESSES, heard.append)
    await scene.store.declare_dead(before)
    assert heard == []


async def test_no_clock_of_the_store_ends_a_process(scene: Scene) -> None:
    """Only those who do not observe the others go by what the clock says."""
    await scene.subscription("s")
    a, b = await join(scene, "a"), await join(scene, "b")
    await scene.store.claim("s", a)
    scene.clock.advance(LEASE + 1)
    assert await scene.store.members() == []
    with pytest.raises(OwnedElsewhere):
        await scene.store.claim("s", b)
    assert [x.process for x in await scene.store.heartbeat(a, READY)] == [a, b]
    assert [x.process for x in await scene.store.members()] == [a]


async def test_a_registration_ends_its_predecessor(scene: Scene) -> None:
    await scene.subscription("s")
    first = await join(scene, "a")
    await scene.store.claim("s", first)
    second = await join(scene, "a")
    with pytest.raises(LeaseLost):
        await scene.store.heartbeat(first, READY)
    assert (await scene.store.claim("s", second)).epoch == 2


async def test_what_a_live_process_owns_is_its_own(scene: Scene) -> None:
    await scene.subscription("s")
    a, b = await join(scene, "a"), await join(scene, "b")
    claimed = await scene.store.claim("s", a)
    with pytest.raises(OwnedElsewhere):
        await scene.store.claim("s", b)
    await scene.store.flush(Flush("s", claimed.epoch, 1, counters=Counters(filtered=1)))
    assert (await scene.store.claim("s", a)).epoch == claimed.epoch + 1


async def test_what_is_released_can_be_claimed_at_once(scene: Scene) -> None:
    await scene.subscription("s")
    a, b = await join(scene, "a"), await join(scene, "b")
    first = await scene.store.claim("s", a)
    heard: list[str] = []
    scene.store.listen(Topic.SUBSCRIPTION, heard.append)
    await scene.store.release("s", first.epoch)
    assert heard == ["s"]
    second = await scene.store.claim("s", b)
    await scene.store.release("s", first.epoch)  # too late to mean anything
    with pytest.raises(OwnedElsewhere):
        await scene.store.claim("s", a)
    with pytest.raises(StaleOwner):
        await scene.store.flush(Flush("s", first.epoch, 1))
    await scene.store.flush(Flush("s", second.epoch, 1))


async def test_who_leaves_releases_everything(scene: Scene) -> None:
    await scene.subscription("s")
    await scene.subscription("t")
    a, b = await join(scene, "a"), await join(scene, "b")
    for uid in ("s", "t"):
        await scene.store.claim(uid, a)
    heard: list[str] = []
    scene.store.listen(Topic.SUBSCRIPTION, heard.append)
    await scene.store.leave(a)
    assert sorted(heard) == ["s", "t"]
    for uid in ("s", "t"):
        await scene.store.claim(uid, b)
    with pytest.raises(LeaseLost):
        await scene.store.claim("s", a)


async def test_what_the_dead_owned_is_anybodys(scene: Scene) -> None:
    await scene.subscription("s")
    a, b = await join(scene, "a"), await join(scene, "b")
    stale = await scene.store.claim("s", a)
    await scene.store.declare_dead([await seen(scene, a, b)])
    newcomer = await join(scene, "newcomer")
    await scene.store.claim("s", newcomer)
    with pytest.raises(OwnedElsewhere):
        await scene.store.claim("s", b)
    with pytest.raises(LeaseLost):
        await scene.store.claim("s", a)
    with pytest.raises(StaleOwner):
        await scene.store.flush(Flush("s", stale.epoch, 1))


async def test_without_a_registration_one_takes_from_anybody(scene: Scene) -> None:
    await scene.subscription("s")
    a = await join(scene, "a")
    await scene.store.claim("s", a)
    assert (await scene.store.claim("s")).epoch == 2
