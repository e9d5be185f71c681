"""What is in force is what the store has, with the version of each document."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookplane.applied_config import AppliedConfig
from hookplane.compile.change import ConfigDiff
from hookplane.config.endpoint import EndpointConfig, Source
from hookplane.config.subscription import HttpTargetConfig, RetryConfig, SubscriptionConfig
from hookplane.sealing import Sealer
from hookplane.secret import Secret
from hookplane.store.config_store import ConfigKind
from hookplane.store.protocol import Store
from support.clocks.manual import ManualClock
from support.planes.store import open_sqlite

KEYS = {"old": b"o" * 32, "new": b"n" * 32}
SEALERS = dict.fromkeys(ConfigKind, Sealer(KEYS, "old"))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_sqlite(tmp_path, ManualClock()) as opened:
        yield opened


def endpoint(name: str, namespace: str = "shop", generation: int = 1) -> EndpointConfig:
    return EndpointConfig(
        uid=f"uid-{name}",
        namespace=namespace,
        name=name,
        generation=generation,
        path=f"/{namespace}/{name}",
        provider="Generic",
        event_type=Source(value="x"),
    )


def subscription(name: str) -> SubscriptionConfig:
    url = Secret("https://shop.example.com")
    return SubscriptionConfig(
        uid=f"uid-{name}",
        namespace="shop",
        name=name,
        endpoints=(),
        retry=RetryConfig(schedule=()),
        target=HttpTargetConfig(url=url, host="shop.example.com"),
    )


async def test_it_says_after_writing_what_one_who_reads_anew_finds(store: Store) -> None:
    applied = AppliedConfig(store, SEALERS)
    await applied.write(ConfigDiff(created=(endpoint("a"), endpoint("b", "other"))))
    await applied.write(
        ConfigDiff(created=(subscription("s"),), changed=(endpoint("a", "shop", 2),))
    )
    await applied.write(ConfigDiff(deleted=(endpoint("b", "other"),)))
    read = await AppliedConfig.load(store, SEALERS)
    assert (
        read.documents
        == applied.documents
        == {
            "uid-a": endpoint("a", "shop", 2),
            "uid-s": subscription("s"),
        }
    )
    assert read.versions == applied.versions
    assert (applied.writes, read.writes) == (3, 0)


async def test_the_newest_version_is_that_of_what_was_written_last(store: Store) -> None:
    applied = AppliedConfig(store, SEALERS)
    assert applied.newest == 0
    newest = []
    for name in ("a", "b", "c"):
        await applied.write(ConfigDiff(created=(endpoint(name),)))
        newest.append(applied.newest)
        assert applied.versions[f"uid-{name}"] == applied.newest
    assert newest == sorted(set(newest))
    assert (await AppliedConfig.load(store, SEALERS)).newest == newest[-1]


async def test_documents_are_found_by_namespace_and_those_of_users_apart(store: Store) -> None:
    builtin = endpoint("operational").model_copy(update={"builtin": True})
    applied = AppliedConfig(store, SEALERS)
    written = (endpoint("a"), endpoint("b", "other"), builtin)
    await applied.write(ConfigDiff(created=written))
    assert {x.uid for x in applied.of_namespace("shop")} == {"uid-a", builtin.uid}
    assert [x.uid for x in applied.of_namespace("other")] == ["uid-b"]
    assert list(applied.of_namespace("never seen")) == []
    assert {x.uid for x in applied.of_users()} == {"uid-a", "uid-b"}
    await applied.write(ConfigDiff(deleted=(endpoint("a"),)))
    assert [x.uid for x in applied.of_namespace("shop")] == [builtin.uid]


async def test_what_is_current_was_made_from_this_generation(store: Store) -> None:
    applied = AppliedConfig(store, SEALERS)
    await applied.write(ConfigDiff(created=(endpoint("a", generation=2),)))
    assert [applied.is_current("uid-a", n) for n in (1, 2, 3)] == [False, True, False]
    assert not applied.is_current("uid-b", 2)


async def test_what_was_sealed_with_an_old_key_is_stale_until_it_is_written(store: Store) -> None:
    before = AppliedConfig(store, SEALERS)
    await before.write(ConfigDiff(created=(subscription("s"), subscription("t"), endpoint("a"))))
    rotated = dict.fromkeys(ConfigKind, Sealer(KEYS, "new"))
    applied = await AppliedConfig.load(store, rotated)
    assert applied.stale == {"uid-s", "uid-t"}
    await applied.write(ConfigDiff(changed=(subscription("s"),)))
    assert applied.stale == {"uid-t"}
    assert (await AppliedConfig.load(store, rotated)).stale == {"uid-t"}


async def test_what_no_key_opens_is_not_in_force_and_the_rest_is(store: Store) -> None:
    before = AppliedConfig(store, SEALERS)
    await before.write(ConfigDiff(created=(subscription("s"), endpoint("a"))))
    lost = dict.fromkeys(ConfigKind, Sealer({"new": KEYS["new"]}, "new"))
    assert list((await AppliedConfig.load(store, lost)).documents) == ["uid-a"]
