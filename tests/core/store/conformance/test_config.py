"""Config rows, versions and wake-ups."""

from __future__ import annotations

import pytest

from hookplane.errors import UnknownObject
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow, CursorPlan
from hookplane.store.maintenance import Retention
from hookplane.store.notifications import Topic
from support.planes.store import DAY, Scene

ENDPOINT, SUBSCRIPTION = ConfigKind.ENDPOINT, ConfigKind.SUBSCRIPTION


async def test_rows_of_one_change_share_a_new_version(scene: Scene) -> None:
    before, _ = await scene.store.load_config(0)
    rows = (ConfigRow(SUBSCRIPTION, "s", b"1"), ConfigRow(ENDPOINT, "f", b"2"))
    version = await scene.store.apply_config(ConfigChange(upserts=rows))
    assert version > before
    loaded = await scene.store.load_config(before)
    assert loaded == (
        version,
        [ConfigRow(ENDPOINT, "f", b"2", version), ConfigRow(SUBSCRIPTION, "s", b"1", version)],
    )
    assert await scene.store.load_config(version) == (version, [])


async def test_unchanged_rows_raise_no_version_and_wake_nobody(scene: Scene) -> None:
    woken: list[str] = []
    scene.store.listen(Topic.CONFIG, woken.append)
    version, rows = await scene.store.load_config(0)
    assert await scene.store.apply_config(ConfigChange(upserts=tuple(rows))) == version
    assert await scene.delete(ENDPOINT, "never was") == version
    assert woken == []


async def test_only_changed_rows_get_the_new_version(scene: Scene) -> None:
    first, _ = await scene.store.load_config(0)
    rows = (ConfigRow(ENDPOINT, "e", b"{}"), ConfigRow(ENDPOINT, "f", b"{}"))
    version = await scene.store.apply_config(ConfigChange(upserts=rows))
    assert await scene.store.load_config(first) == (
        version,
        [ConfigRow(ENDPOINT, "f", b"{}", version)],
    )


async def test_a_delete_leaves_a_tombstone(scene: Scene) -> None:
    version = await scene.delete(ENDPOINT, "e")
    assert await scene.store.load_config(version - 1) == (
        version,
        [ConfigRow(ENDPOINT, "e", None, version)],
    )
    assert await scene.delete(ENDPOINT, "e") == version


async def test_tombstones_go_after_a_day(scene: Scene) -> None:
    version = await scene.delete(ENDPOINT, "e")
    scene.clock.advance(DAY + 1)
    await scene.store.expire(Retention(DAY, DAY, 1 << 30), scene.clock.now())
    assert await scene.store.load_config(0) == (version, [])


async def test_listeners_are_woken_until_they_stop(scene: Scene) -> None:
    woken: list[str] = []
    stop = scene.store.listen(Topic.CONFIG, woken.append)
    await scene.endpoints("f")
    stop()
    await scene.endpoints("g")
    assert woken == [""]


@pytest.mark.parametrize(
    "plan",
    [
        CursorPlan("s", ("e", "nobody")),  # an endpoint that is not known
        CursorPlan("nobody", ("e",)),  # a subscription that is not known
    ],
)
async def test_a_plan_with_something_unknown_changes_nothing(
    scene: Scene, plan: CursorPlan
) -> None:
    before = await scene.store.load_config(0)
    row = ConfigRow(SUBSCRIPTION, "s", b"{}")
    with pytest.raises(UnknownObject):
        await scene.store.apply_config(ConfigChange(upserts=(row,), cursors=(plan,)))
    assert await scene.store.load_config(0) == before


async def test_a_plan_may_name_endpoints_of_its_own_change(scene: Scene) -> None:
    rows = (ConfigRow(SUBSCRIPTION, "s", b"{}"), ConfigRow(ENDPOINT, "f", b"{}"))
    change = ConfigChange(upserts=rows, cursors=(CursorPlan("s", ("f",)),))
    await scene.store.apply_config(change)
    assert (await scene.owner()).claimed.cursors == {"f": 0}


async def test_a_document_that_changes_gets_a_version_each_time(scene: Scene) -> None:
    versions = []
    for document in (b"1", b"2", b"1"):  # the last one was there before
        await scene.endpoints("f", document=document)
        version, rows = await scene.store.load_config(0)
        versions.append(version)
        assert [x for x in rows if x.uid == "f"] == [ConfigRow(ENDPOINT, "f", document, version)]
    assert versions == sorted(set(versions))


async def test_what_comes_back_unchanged_gets_a_new_version(scene: Scene) -> None:
    deleted = await scene.delete(ENDPOINT, "e")
    await scene.endpoints("e")
    version, rows = await scene.store.load_config(deleted)
    assert version > deleted
    assert rows == [ConfigRow(ENDPOINT, "e", b"{}", version)]
    await scene.append("e")


async def test_the_same_uid_of_another_kind_is_another_object(scene: Scene) -> None:
    await scene.subscription("e")
    version = await scene.delete(SUBSCRIPTION, "e")
    assert await scene.store.load_config(version - 1) == (
        version,
        [ConfigRow(SUBSCRIPTION, "e", None, version)],
    )
    await scene.append("e")
    assert [x.uid for x in (await scene.store.load_config(0))[1] if x.document] == ["e"]


async def test_tombstones_go_by_their_own_age_and_documents_stay(scene: Scene) -> None:
    await scene.endpoints("old", "young")
    await scene.delete(ENDPOINT, "old")
    scene.clock.advance(DAY)
    await scene.delete(ENDPOINT, "young")
    await scene.store.expire(Retention(DAY, DAY, 1 << 30), scene.clock.now())
    rows = (await scene.store.load_config(0))[1]
    assert [(x.uid, x.document) for x in rows] == [("e", b"{}"), ("young", None)]


async def test_a_second_delete_does_not_begin_the_day_anew(scene: Scene) -> None:
    await scene.subscription("s")
    await scene.delete(SUBSCRIPTION, "s")
    scene.clock.advance(DAY - 1)
    await scene.delete(SUBSCRIPTION, "s")
    scene.clock.advance(1)
    await scene.store.expire(Retention(DAY, DAY, 1 << 30), scene.clock.now())
    assert await scene.store.subscription_stats(["s"]) == []


async def test_a_subscription_that_is_deleted_again_has_a_day_again(scene: Scene) -> None:
    await scene.subscription("s")
    await scene.delete(SUBSCRIPTION, "s")
    scene.clock.advance(DAY - 1)
    await scene.subscription("s")
    await scene.delete(SUBSCRIPTION, "s")
    scene.clock.advance(DAY - 1)
    await scene.store.expire(Retention(DAY, DAY, 1 << 30), scene.clock.now())
    assert await scene.store.subscription_stats(["s"]) != []


@pytest.mark.parametrize("back", [2 * DAY, 365 * DAY])
async def test_what_is_deleted_while_a_clock_is_behind_has_a_day(scene: Scene, back: int) -> None:
    await scene.subscription("s")
    scene.clock.shift = -back
    version = await scene.delete(SUBSCRIPTION, "s")
    scene.clock.shift = 0
    await scene.store.expire(Retention(DAY, DAY, 1 << 30), scene.clock.now())
    assert await scene.store.subscription_stats(["s"]) != []
    assert [x.document for x in (await scene.store.load_config(version - 1))[1]] == [None]


async def test_bytes_move_with_an_endpoint_that_changes_its_namespace(scene: Scene) -> None:
    await scene.endpoints("f", namespace="old", document=b"1")
    await scene.append("f", body=b"xxx")
    await scene.endpoints("f", namespace="new", document=b"2")
    await scene.append("f", body=b"xx")
    assert await scene.store.stored_bytes() == {"new": 5}
