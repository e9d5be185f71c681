"""Manifests come into force on a real store; what is broken leaves the last good state."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hookplane.compile.model import Options, Severity
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import UnknownObject
from hookplane.store.delivery_store import DeliveryState, ReplayPhase
from hookplane.store.event_log import NewEvent
from hookplane.store.maintenance import Retention
from hookplane.store.protocol import Store
from hookplane.store.queries import SubscriptionStats
from hookplane.store.sqlite.driver import SQLiteStore
from hookplane_cli.local.reload import (
    CONFIRM_AFTER,
    ImmutableFields,
    Loaded,
    MissedObjects,
    Reloader,
    find_missed,
)
from hookplane_cli.local.secret_files import SecretFiles, open_sealer
from support.clocks.manual import ManualClock
from support.planes.compiled import (
    NOW,
    compiled_of,
    endpoint_text,
    manifests_of,
    one_subscription,
    secret_text,
    subscription_text,
)
from support.planes.store import (
    DAY,
    DRIVERS,
    EventIds,
    OpenStore,
    Scene,
    closing_store,
    delivery,
    open_sqlite,
)

ENDPOINT = "webhookendpoints/default/a"
SUBSCRIPTION = "webhooksubscriptions/default/s"
REF = "{secretKeyRef: {name: sec, key: k}}"
OTHER = "webhookendpoints/default/b"
READ = endpoint_text(labels="{read: 'yes'}")
ALSO_READ = endpoint_text(name="b", labels="{read: 'yes'}")
READER = subscription_text("endpointSelector: {matchLabels: {read: 'yes'}}")
REPLAY = (
    "apiVersion: hookplane.dev/v1alpha1\nkind: WebhookReplay\nmetadata: {name: r}\n"
    "spec: {subscriptionRef: {name: s}, events: {from: '2025-01-01T00:00:00Z'}}\n"
)


@dataclass
class Laptop:
    """Manifests in a folder, and what is in force."""

    folder: Path
    store: Store
    reloader: Reloader
    clock: ManualClock
    ids: EventIds = field(default_factory=EventIds)

    async def load(self, **files: str | None) -> Loaded:
        """Writes files (None: removes one) and loads."""
        for name, text in files.items():
            path = self.folder / f"{name}.yaml"
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        return await self.reloader.load()

    async def remove(self, *files: str) -> None:
        """Until it is noticed."""
        await self.load(**dict.fromkeys(files))
        self.clock.advance(CONFIRM_AFTER)
        await self.load()

    def endpoint(self, uid: str = ENDPOINT) -> EndpointConfig:
        found = self.reloader.in_force[uid]
        assert isinstance(found, EndpointConfig)
        return found

    def subscription(self) -> SubscriptionConfig:
        found = self.reloader.in_force[SUBSCRIPTION]
        assert isinstance(found, SubscriptionConfig)
        return found

    @property
    def scene(self) -> Scene:
        return Scene(self.store, self.clock, self.ids)

    async def deliver_all(self) -> None:
        """What the subscription has of the first endpoint."""
        entries = await self.store.read_log(ENDPOINT, 0, 10)
        await (await self.scene.owner(SUBSCRIPTION)).deliver(*entries)

    async def version(self) -> int:
        return (await self.store.load_config(0))[0]


@asynccontextmanager
async def opened(root: Path, open_store: OpenStore = open_sqlite) -> AsyncIterator[Laptop]:
    folder, data, clock = root / "manifests", root / "data", ManualClock(NOW)
    folder.mkdir(exist_ok=True)
    async with open_store(data, clock) as store:
        laptop = Laptop(folder, store, reloader_of(folder, data, store, clock), clock)
        await laptop.reloader.restore()
        yield laptop


def reloader_of(folder: Path, data: Path, store: Store, clock: ManualClock) -> Reloader:
    return Reloader(
        sources=[folder],
        store=store,
        sealer=open_sealer(data),
        generated=SecretFiles(data),
        options=Options(loopback_allowed=True),
        clock=clock,
    )


def problems(loaded: Loaded) -> list[str]:
    return [finding.problem.message for finding in loaded.report.problems]


async def test_the_first_load_generates_keys_and_serves(tmp_path: Path) -> None:
    async with opened(tmp_path) as laptop:
        loaded = await laptop.load(a=endpoint_text() + subscription_text())
        assert problems(loaded) == []
        assert {x.uid for x in loaded.change.created} == {
            ENDPOINT,
            SUBSCRIPTION,
            "operational/default",
        }
        assert laptop.endpoint().keys[0].reveal().startswith(b"whsec_")
        assert laptop.endpoint().not_ready == laptop.subscription().not_ready == ""


async def test_loading_again_changes_nothing_even_after_a_restart(tmp_path: Path) -> None:
    text = endpoint_text() + subscription_text()
    async with opened(tmp_path) as laptop:
        await laptop.load(a=text)
        version = await laptop.version()
        assert not (await laptop.load()).change
        assert await laptop.version() == version
    async with opened(tmp_path) as laptop:
        assert not (await laptop.load()).change
        assert await laptop.version() == version


async def test_an_edit_takes_effect(tmp_path: Path) -> None:
    async with opened(tmp_path) as laptop:
        await laptop.load(a=endpoint_text(), s=subscription_text())
        loaded = await laptop.load(s=subscription_text(target="url: 'http://127.0.0.1:9009/new'"))
        assert [x.uid for x in loaded.change.changed] == [SUBSCRIPTION]
        target = laptop.subscription().target
        assert target is not None
        assert target.host == "127.0.0.1:9009"


@pytest.mark.parametrize(
    "broken",
    [
        "not: [yaml",
        "just: some\n",
        endpoint_text("{provider: Githup}"),
        endpoint_text("{foo: 1}"),
        endpoint_text().replace("WebhookEndpoint", "WebhookEndpiont"),
        endpoint_text(name="A"),
    ],
)
async def test_a_broken_file_leaves_the_last_good_state(tmp_path: Path, broken: str) -> None:
    async with opened(tmp_path) as laptop:
        await laptop.load(a=endpoint_text(), s=subscription_text())
        before = dict(laptop.reloader.in_force)
        for _ in range(3):
            loaded = await laptop.load(a=broken)
            assert len(problems(loaded)) == 1
            assert laptop.reloader.in_force == before
    async with opened(tmp_path) as laptop:
        for _ in range(3):
            laptop.clock.advance(CONFIRM_AFTER)
            await laptop.load()
            assert laptop.reloader.in_force == before
        await laptop.load(a=endpoint_text("{suspend: true}"))
        assert laptop.endpoint().suspended
        assert laptop.subscription().endpoints == (ENDPOINT,)


async def test_good_objects_beside_a_broken_one_come_into_force(tmp_path: Path) -> None:
    async with opened(tmp_path) as laptop:
        await laptop.load(a=endpoint_text("{foo: 1}") + endpoint_text(name="b"))
        assert set(laptop.reloader.in_force) == {
            "webhookendpoints/default/b",
            "operational/default",
        }


async def test_an_object_goes_only_when_two_loads_miss_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as laptop:
        await laptop.load(a=endpoint_text(), b=endpoint_text(name="b"))
        once = await laptop.load(a=None)
        assert once.again_at == NOW + CONFIRM_AFTER
        assert ENDPOINT in laptop.reloader.in_force
        assert not (await laptop.load()).change
        laptop.clock.advance(CONFIRM_AFTER)
        twice = await laptop.load()
        assert [x.uid for x in twice.change.deleted] == [ENDPOINT]
        assert ENDPOINT not in laptop.reloader.in_force
        assert twice.again_at is None


async def test_an_object_that_comes_back_at_once_never_went(tmp_path: Path) -> None:
    async with opened(tmp_path) as laptop:
        await laptop.load(a=endpoint_text())
        for _ in range(3):
            await laptop.load(a=None)
            laptop.clock.advance(CONFIRM_AFTER)
            assert not (await laptop.load(a=endpoint_text())).change


async def test_a_broken_secret_keeps_what_it_was_used_for(tmp_path: Path) -> None:
    endpoint = endpoint_text(f"{{provider: Stripe, verification: {{keys: [{REF}]}}}}")
    async with opened(tmp_path) as laptop:
        await laptop.load(sec=secret_text("sec", k="whsec_one"), a=endpoint)
        await laptop.load(sec="a: [")
        assert laptop.endpoint().not_ready == ""
    async with opened(tmp_path) as laptop:
        await laptop.load()
        assert laptop.endpoint().not_ready == ""
        assert laptop.endpoint().keys[0].reveal() == b"whsec_one"
        await laptop.load(sec=secret_text("sec", k="whsec_two"))
        assert laptop.endpoint().keys[0].reveal() == b"whsec_two"
        await laptop.load(sec=secret_text("sec"))
        assert laptop.endpoint().not_ready == 'Secret "sec" has no key "k"; it has: no keys'


async def test_a_broken_secret_keeps_nothing_that_others_were_used_for(tmp_path: Path) -> None:
    other = "{secretKeyRef: {name: other, key: k}}"
    endpoint = endpoint_text(f"{{provider: Stripe, verification: {{keys: [{REF}, {other}]}}}}")
    broken = secret_text("third").replace("stringData: {}", "stringData: {x: [1]}")
    async with opened(tmp_path) as laptop:
        one, two = secret_text("sec", k="whsec_one"), secret_text("other", k="whsec_two")
        await laptop.load(sec=one, o=two, a=endpoint)
        await laptop.load(sec=secret_text("sec"), third=broken)
        assert [x.reveal() for x in laptop.endpoint().keys] == [b"whsec_two"]
        await laptop.load(sec=one, o=two.replace("'whsec_two'", "[1]"))
        assert [x.reveal() for x in laptop.endpoint().keys] == [b"whsec_one", b"whsec_two"]
    async with opened(tmp_path) as laptop:
        await laptop.load(sec=secret_text("sec"))
        assert [x.reveal() for x in laptop.endpoint().keys] == [b"whsec_one", b"whsec_two"]


async def test_a_broken_secret_takes_none_of_several_keys(tmp_path: Path) -> None:
    other = "{secretKeyRef: {name: other, key: k}}"
    endpoint = endpoint_text(f"{{provider: Stripe, verification: {{keys: [{REF}, {other}]}}}}")
    async with opened(tmp_path) as laptop:
        await laptop.load(
            sec=secret_text("sec", k="whsec_one"), o=secret_text("other", k="whsec_two"), a=endpoint
        )
    async with opened(tmp_path) as laptop:
        await laptop.load(sec="a: [")
        assert [x.reveal() for x in laptop.endpoint().keys] == [b"whsec_one", b"whsec_two"]
        await laptop.load(sec=secret_text("sec"))
        assert [x.reveal() for x in laptop.endpoint().keys] == [b"whsec_two"]


async def test_a_misspelt_endpoint_takes_no_backlog_with_it(both: Laptop) -> None:
    waiting = await both.scene.fill(1, ENDPOINT)
    await both.load(s=subscription_text("endpointRefs: [{name: aa}, {name: b}]"))
    assert set(both.subscription().endpoints) == {ENDPOINT, OTHER}
    assert (await both.scene.status(SUBSCRIPTION)).counters.expired == 0
    await both.load(s=subscription_text("endpointRefs: [{name: b}]"))
    assert both.subscription().endpoints == (OTHER,)
    assert (await both.scene.status(SUBSCRIPTION)).counters.expired == 1 + len(waiting)


async def test_rotation_comes_by_itself(tmp_path: Path) -> None:
    text = endpoint_text("{verification: {rotation: {every: 10s, overlap: 4s}}}")
    async with opened(tmp_path) as laptop:
        loaded = await laptop.load(a=text)
        (old,) = laptop.endpoint().keys
        assert loaded.again_at == NOW + 10_000
        laptop.clock.advance(10_000)
        loaded = await laptop.load()
        assert laptop.endpoint().keys[1] == old
        assert loaded.again_at == NOW + 14_000
        laptop.clock.advance(4_000)
        await laptop.load()
        assert len(laptop.endpoint().keys) == 1
        assert old not in laptop.endpoint().keys


async def test_an_endpoint_that_comes_while_its_reader_is_broken_is_read_from_its_begin(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as laptop:
        await laptop.load(s=subscription_text())
        await laptop.load(a=endpoint_text(), s="kind: [")
        scene = Scene(laptop.store, laptop.clock)
        await scene.append(ENDPOINT)
        await laptop.load(s=subscription_text())
        await scene.append(ENDPOINT)
        assert (await scene.status(SUBSCRIPTION)).pending == 2


@pytest.fixture(params=DRIVERS)
async def both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Laptop]:
    """On either store; `s` reads all endpoints that are labelled, and `a` has accepted two events,
    of which one was tried."""
    async with opened(tmp_path, DRIVERS[request.param]) as laptop:
        await laptop.load(a=READ, b=ALSO_READ, s=READER)
        tried, _ = await laptop.scene.fill(2, ENDPOINT)
        await (await laptop.scene.owner(SUBSCRIPTION)).hold(delivery(tried))
        yield laptop


async def test_what_a_removed_endpoint_had_accepted_is_delivered(both: Laptop) -> None:
    await both.remove("a")
    with pytest.raises(UnknownObject):
        await both.scene.append(ENDPOINT)
    status = await both.scene.status(SUBSCRIPTION)
    assert (status.pending, status.retrying, status.counters.expired) == (1, 1, 0)
    await both.deliver_all()
    status = await both.scene.status(SUBSCRIPTION)
    assert (status.counters.delivered, status.counters.expired) == (2, 0)


class Late(SQLiteStore):
    """An event comes right after it told how much waits."""

    late: NewEvent | None = None

    async def subscription_stats(self, subscriptions: Sequence[str]) -> list[SubscriptionStats]:
        found = await super().subscription_stats(subscriptions)
        if self.late is not None:
            late, self.late = self.late, None
            await self.append(late)
        return found


@asynccontextmanager
async def open_late(folder: Path, clock: ManualClock) -> AsyncIterator[Store]:
    async with closing_store(Late.open(folder, clock)) as store:
        yield store


async def test_what_comes_while_an_endpoint_is_removed_is_delivered(tmp_path: Path) -> None:
    async with opened(tmp_path, open_late) as laptop:
        await laptop.load(a=READ, s=READER)
        await laptop.load(a=None)
        laptop.clock.advance(CONFIRM_AFTER)
        assert isinstance(laptop.store, Late)
        laptop.store.late = laptop.scene.event(ENDPOINT)
        await laptop.load()
        status = await laptop.scene.status(SUBSCRIPTION)
        assert (status.pending, status.counters.expired) == (1, 0)


async def test_a_removed_endpoint_is_read_until_its_log_is_done(both: Laptop) -> None:
    await both.remove("a")
    await both.load(b=ALSO_READ.replace("{}", "{provider: GitHub}"))
    assert both.subscription().endpoints == (ENDPOINT, OTHER)
    await both.deliver_all()
    await both.load()
    assert both.subscription().endpoints == (OTHER,)
    both.clock.advance(2 * DAY)
    retention = Retention(DAY, DAY, 1 << 30)
    while (await both.store.expire(retention, both.clock.now())).more:
        pass
    assert both.subscription().endpoints == (OTHER,)
    assert [x.endpoint for x in await both.store.endpoint_stats([ENDPOINT])] == []


async def test_a_subscription_that_comes_back_has_what_its_endpoint_left(both: Laptop) -> None:
    await both.remove("a", "s")
    await both.load(s=READER)
    assert both.subscription().endpoints == (ENDPOINT, OTHER)
    await both.deliver_all()
    assert (await both.scene.status(SUBSCRIPTION)).counters.delivered == 2


async def test_an_endpoint_that_comes_back_while_it_is_read_goes_on(both: Laptop) -> None:
    await both.remove("a")
    await both.load(a=READ)
    await both.scene.append(ENDPOINT)
    status = await both.scene.status(SUBSCRIPTION)
    assert (status.pending, status.retrying, status.counters.expired) == (2, 1, 0)


async def test_a_named_endpoint_that_is_missing_for_a_while_loses_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as laptop:
        await laptop.load(a=endpoint_text(), s=subscription_text())
        waiting = await laptop.scene.fill(2, ENDPOINT)
        pending = dict.fromkeys((x.event_id for x in waiting), DeliveryState.PENDING)
        await laptop.remove("a")
        assert await laptop.scene.states(SUBSCRIPTION) == pending
        await laptop.load(a=endpoint_text())
        assert await laptop.scene.states(SUBSCRIPTION) == pending
        assert (await laptop.scene.status(SUBSCRIPTION)).counters.expired == 0


async def test_what_waits_of_an_endpoint_that_is_deselected_has_expired(both: Laptop) -> None:
    await both.load(a=endpoint_text())
    assert both.subscription().endpoints == (OTHER,)
    assert (await both.scene.status(SUBSCRIPTION)).counters.expired == 1


async def test_a_replay_begins_once_and_ends_with_its_object(tmp_path: Path) -> None:
    base = endpoint_text() + subscription_text()
    async with opened(tmp_path) as laptop:
        assert (await laptop.load(r=REPLAY)).replays == ()
        assert (await laptop.load(a=base)).replays == ("default/r",)
        assert (await laptop.load()).replays == ()
    async with opened(tmp_path) as laptop:
        laptop.clock.advance(1)
        assert (await laptop.load()).replays == ()
        await laptop.load(r=None)
        (job,) = await laptop.store.replays()
        assert job.phase is ReplayPhase.RUNNING
        laptop.clock.advance(CONFIRM_AFTER)
        await laptop.load()
        (job,) = await laptop.store.replays()
        assert job.phase is ReplayPhase.CANCELLED


async def test_the_folder_may_be_empty_for_a_while(tmp_path: Path) -> None:
    async with opened(tmp_path) as laptop:
        assert not (await laptop.load()).change
        assert laptop.reloader.in_force == {}


@pytest.fixture(autouse=True)
def _no_leaks(tmp_path: Path) -> Iterator[None]:
    """No key stands in clear text in the database."""
    yield
    kept = (tmp_path / "data" / "secrets").rglob("*.json")
    keys = [json.loads(path.read_bytes())["key"].encode() for path in kept] + [b"whsec_one"]
    for path in (tmp_path / "data").glob("hookplane.db*"):
        assert not any(key in path.read_bytes() for key in keys)


def test_an_object_goes_when_two_loads_miss_it() -> None:
    first = find_missed({"a", "b"}, {"a"}, MissedObjects(), True, 1000)
    assert (first, first.due) == (MissedObjects(frozenset(), {"b": 1000}), 1000 + CONFIRM_AFTER)
    soon = find_missed({"a", "b"}, {"a"}, first, True, 1001)
    assert soon == first
    later = find_missed({"a", "b"}, {"a"}, soon, True, 1000 + CONFIRM_AFTER)
    assert (later, later.due) == (MissedObjects(frozenset({"b"}), {}), None)


def test_a_load_that_could_not_read_everything_deletes_nothing() -> None:
    before = MissedObjects(frozenset(), {"a": 0, "b": 0})
    assert find_missed({"a", "b"}, set(), before, False, 10**9) == MissedObjects()


def test_a_replay_is_immutable() -> None:
    immutables = ImmutableFields()
    first = manifests_of(REPLAY).resources
    changed = manifests_of(REPLAY.replace("01-01", "01-02")).resources
    assert immutables.check(first, {}) == (list(first), [])
    assert immutables.check(first, {}) == (list(first), [])
    allowed, (problem,) = immutables.check(changed, {})
    assert allowed == []
    assert problem.message == "is immutable; a replay runs once, so create another"


def test_how_long_a_replay_is_kept_may_change_and_says_what_it_does_here() -> None:
    immutables = ImmutableFields()
    immutables.check(manifests_of(REPLAY).resources, {})
    changed = manifests_of(REPLAY.replace("spec: {", "spec: {ttlSecondsAfterFinished: 60, "))
    allowed, (note,) = immutables.check(changed.resources, {})
    assert (len(allowed), note.severity) == (1, Severity.NOTE)
    assert "here the manifest stays" in note.message


def test_where_a_subscription_starts_is_immutable() -> None:
    base = subscription_text()
    made = one_subscription(compiled_of(base))
    changed = manifests_of(subscription_text("startFrom: Earliest")).resources
    allowed, (problem,) = ImmutableFields().check(changed, {made.uid: made})
    assert (allowed, problem.path) == ([], "spec.startFrom")
    assert ImmutableFields().check(manifests_of(base).resources, {made.uid: made})[1] == []
