from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hookplane.clock import SystemClock
from hookplane.config.base import Document
from hookplane.config.endpoint import EndpointConfig, Source
from hookplane.errors import InvalidValue
from hookplane.process.follow import BREATH, POLL_SECONDS, ConfigFollower
from hookplane.sealing import Sealer
from hookplane.secret import Secret
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow
from hookplane.store.protocol import Store
from hookplane.store.sqlite.driver import SQLiteStore
from support.clocks.until import until

SEALER = Sealer({"a": b"k" * 32}, "a")
OTHER_SEALER = Sealer({"b": b"n" * 32}, "b")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await SQLiteStore.open(tmp_path, SystemClock())
    yield opened
    await opened.close()


class Taken:
    """What a follower handed over, by uid."""

    def __init__(self) -> None:
        self.documents: dict[str, Document | None] = {}

    def __call__(self, kind: ConfigKind, uid: str, document: Document | None) -> None:
        self.documents[uid] = document


def row(uid: str, provider: str = "GitHub", sealer: Sealer = SEALER) -> ConfigRow:
    document = EndpointConfig(
        uid=uid,
        namespace="default",
        name=uid,
        path=f"/default/{uid}",
        provider=provider,
        keys=(Secret("canary"),),
        event_type=Source(value="x"),
    )
    return ConfigRow(ConfigKind.ENDPOINT, uid, document.dump(sealer))


async def test_loads_all_then_what_is_newer(store: Store) -> None:
    taken = Taken()
    follower = ConfigFollower(store, SEALER, taken)
    await store.apply_config(ConfigChange(upserts=(row("one"), row("two"))))
    await follower.load()
    assert taken.documents.keys() == {"one", "two"}
    taken.documents.clear()
    await store.apply_config(ConfigChange(deletes=((ConfigKind.ENDPOINT, "one"),)))
    await follower.load()
    assert taken.documents == {"one": None}


async def test_others_have_turns_while_many_documents_are_put_in_force(store: Store) -> None:
    taken, count = Taken(), 3 * BREATH
    await store.apply_config(ConfigChange(upserts=tuple(row(f"e{x}") for x in range(count))))
    follower = ConfigFollower(store, SEALER, taken)
    loading, seen = asyncio.create_task(follower.load()), set()
    while not loading.done():
        seen.add((len(taken.documents), follower.version))
        await asyncio.sleep(0)
    in_the_middle = [known for known, version in seen if 0 < known < count and version == 0]
    assert len(in_the_middle) == count // BREATH
    assert (len(taken.documents), follower.version > 0) == (count, True)


async def test_it_rests_while_nothing_changes(store: Store) -> None:
    reads: list[int] = []

    class Counted:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        async def load_config(self, after: int) -> tuple[int, list[ConfigRow]]:
            reads.append(after)
            return await store.load_config(after)

    task = asyncio.create_task(ConfigFollower(Counted(), SEALER, Taken()).run())
    begun = asyncio.get_running_loop().time()
    await asyncio.sleep(0.3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    looks = (asyncio.get_running_loop().time() - begun) / POLL_SECONDS
    assert len(reads) <= looks


async def test_each_newer_version_is_told_once(store: Store) -> None:
    told: list[int] = []
    kinds = (ConfigKind.SUBSCRIPTION,)
    follower = ConfigFollower(store, SEALER, Taken(), lambda: told.append(follower.version), kinds)
    await follower.load()
    assert told == []
    await store.apply_config(ConfigChange(upserts=(row("one"),)))
    await follower.load()
    await follower.load()
    assert told == [follower.version]
    assert follower.version > 0


async def test_kinds_that_a_process_does_not_need_are_not_opened(store: Store) -> None:
    taken, wanted = Taken(), (ConfigKind.SUBSCRIPTION,)
    follower = ConfigFollower(store, SEALER, taken, kinds=wanted)
    await store.apply_config(ConfigChange(upserts=(row("one", sealer=OTHER_SEALER),)))
    await follower.load()
    assert (taken.documents, follower.refused) == ({}, {})


async def test_secrets_that_a_process_does_not_need_are_read_as_empty(store: Store) -> None:
    taken = Taken()
    follower = ConfigFollower(store, SEALER, taken, without_secrets=(ConfigKind.ENDPOINT,))
    await store.apply_config(ConfigChange(upserts=(row("one"), row("two", sealer=OTHER_SEALER))))
    await follower.load()
    found = [x for x in taken.documents.values() if isinstance(x, EndpointConfig)]
    assert [x.keys for x in found] == [(Secret(""),)] * 2
    assert follower.refused == {}


async def test_a_commit_wakes_it(store: Store) -> None:
    taken = Taken()
    task = asyncio.create_task(ConfigFollower(store, SEALER, taken).run())
    await store.apply_config(ConfigChange(upserts=(row("one"),)))
    await until(lambda: "one" in taken.documents, "the first document")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    "bad",
    [
        row("one", sealer=OTHER_SEALER),  # a key that is not here
        ConfigRow(ConfigKind.ENDPOINT, "one", b'{"uid": "one"}'),  # not a document
        ConfigRow(ConfigKind.ENDPOINT, "one", b"{"),  # not JSON
    ],
)
async def test_a_bad_document_never_replaces_a_good_one(store: Store, bad: ConfigRow) -> None:
    taken = Taken()
    follower = ConfigFollower(store, SEALER, taken)
    await store.apply_config(ConfigChange(upserts=(row("one"),)))
    await follower.load()
    good = taken.documents["one"]
    version = await store.apply_config(ConfigChange(upserts=(bad, row("two"))))
    await follower.load()
    assert taken.documents["one"] is good
    assert "two" in taken.documents
    assert follower.version == version
    assert "canary" not in follower.refused["one"]
    await store.apply_config(ConfigChange(upserts=(row("one", "GitLab"),)))
    await follower.load()
    assert follower.refused == {}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InvalidValue("this version has no such handshake"), "this version has no such handshake"),
        (KeyError("canary"), "a fault of Hookplane's own (KeyError at hookplane.process.follow:"),
    ],
)
async def test_what_cannot_be_taken_in_stops_nothing_else(
    store: Store, error: Exception, told: str
) -> None:
    taken = Taken()

    def apply(kind: ConfigKind, uid: str, document: Document | None) -> None:
        if uid == "one" and isinstance(document, EndpointConfig) and document.provider == "GitHub":
            raise error
        taken(kind, uid, document)

    follower = ConfigFollower(store, SEALER, apply)
    version = await store.apply_config(ConfigChange(upserts=(row("one"), row("two"))))
    await follower.load()
    assert taken.documents.keys() == {"two"}
    assert follower.version == version
    assert follower.refused["one"].startswith(told)
    assert "canary" not in follower.refused["one"]
    await store.apply_config(ConfigChange(upserts=(row("one", "GitLab"),)))
    await follower.load()
    assert follower.refused == {}
    assert taken.documents.keys() == {"one", "two"}
