"""What is in force is what the store has, with the version of each document."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hookplane.applied_config import KEYS_LOST, OTHER_VERSION, AppliedConfig
from hookplane.compile.change import ConfigDiff
from hookplane.config.endpoint import EndpointConfig, Source
from hookplane.config.subscription import HttpTargetConfig, RetryConfig, SubscriptionConfig
from hookplane.sealing import Sealer
from hookplane.secret import Secret
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow
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


async def test_what_is_bound_to_no_place_is_stale_until_it_is_written(store: Store) -> None:
    """As the version before sealed it: with a random nonce, bound to the object only."""
    plain, uid = b"https://shop.example.com", "uid-s"
    sealed = AESGCM(KEYS["old"]).encrypt(b"n" * 12, plain, uid.encode())
    text = f"v1:old:{base64.b64encode(b'n' * 12 + sealed).decode()}"
    tree = json.loads(subscription("s").dump(SEALERS[ConfigKind.SUBSCRIPTION]))
    tree["target"]["url"] = text
    row = ConfigRow(ConfigKind.SUBSCRIPTION, uid, json.dumps(tree).encode())
    await store.apply_config(ConfigChange(upserts=(row,)))
    applied = await AppliedConfig.load(store, SEALERS)
    assert applied.documents == {uid: subscription("s")}
    assert (applied.stale, applied.lost) == ({uid}, set())
    await applied.write(ConfigDiff(changed=(subscription("s"),)))
    assert (await AppliedConfig.load(store, SEALERS)).stale == set()


async def test_what_says_that_it_is_another_object_s_is_not_taken_for_it(store: Store) -> None:
    text = endpoint("a").dump(SEALERS[ConfigKind.ENDPOINT])
    row = ConfigRow(ConfigKind.ENDPOINT, "uid-b", text)
    await store.apply_config(ConfigChange(upserts=(row,)))
    applied = await AppliedConfig.load(store, SEALERS)
    assert {x: y.uid for x, y in applied.documents.items()} == {"uid-b": "uid-b"}
    assert applied.documents["uid-b"].not_ready
    assert applied.stale == {"uid-b"}


async def test_what_no_key_opens_is_known_but_for_its_secrets(store: Store) -> None:
    before = AppliedConfig(store, SEALERS)
    await before.write(ConfigDiff(created=(subscription("s"), endpoint("a"))))
    keys = dict.fromkeys(ConfigKind, Sealer({"new": KEYS["new"]}, "new"))
    applied = await AppliedConfig.load(store, keys)
    found = applied.documents["uid-s"]
    assert isinstance(found, SubscriptionConfig)
    assert found.target is not None
    assert (found.not_ready, found.target.url.reveal()) == (KEYS_LOST, b"")
    assert (applied.lost, applied.stale) == ({"uid-s"}, {"uid-s"})
    assert applied.documents["uid-a"] == endpoint("a")
    await applied.write(ConfigDiff(changed=(subscription("s"),)))
    assert (applied.lost, applied.stale) == (set(), set())
    assert (await AppliedConfig.load(store, keys)).documents["uid-s"] == subscription("s")


async def test_what_no_key_opens_can_be_removed(store: Store) -> None:
    before = AppliedConfig(store, SEALERS)
    await before.write(ConfigDiff(created=(subscription("s"),)))
    keys = dict.fromkeys(ConfigKind, Sealer({"new": KEYS["new"]}, "new"))
    applied = await AppliedConfig.load(store, keys)
    await applied.write(ConfigDiff(deleted=(applied.documents["uid-s"],)))
    assert (applied.lost, applied.stale) == (set(), set())
    assert dict((await AppliedConfig.load(store, keys)).documents) == {}


async def test_what_a_newer_version_wrote_is_known_as_far_as_any_version_says(
    store: Store,
) -> None:
    """So it can be removed, and what it reads is not taken from it when it is written again."""
    reader = subscription("s").model_copy(update={"endpoints": ("uid-a",)})
    before = AppliedConfig(store, SEALERS)
    await before.write(ConfigDiff(created=(endpoint("a"), reader)))
    _, rows = await store.load_config(0)
    newer = tuple(replace(x, document=b'{"newer": 1, ' + (x.document or b"")[1:]) for x in rows)
    await store.apply_config(ConfigChange(upserts=newer))
    applied = await AppliedConfig.load(store, SEALERS)
    assert applied.stale == {"uid-a", "uid-s"}
    assert applied.lost == set()
    found, read = applied.documents["uid-a"], applied.documents["uid-s"]
    assert isinstance(found, EndpointConfig)
    assert isinstance(read, SubscriptionConfig)
    assert (found.name, found.path, found.not_ready) == ("a", "/shop/a", OTHER_VERSION)
    assert (read.endpoints, read.target, read.not_ready) == (("uid-a",), None, OTHER_VERSION)
    assert not applied.is_current("uid-a", 1)
    await applied.write(ConfigDiff(changed=(endpoint("a"),), deleted=(read,)))
    again = await AppliedConfig.load(store, SEALERS)
    assert again.documents == {"uid-a": endpoint("a")}
    assert again.stale == set()


async def test_what_nobody_can_read_is_not_known(store: Store) -> None:
    row = ConfigRow(ConfigKind.ENDPOINT, "uid-a", b"[]")
    await store.apply_config(ConfigChange(upserts=(row,)))
    assert (await AppliedConfig.load(store, SEALERS)).documents == {}
