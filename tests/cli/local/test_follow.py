"""Changes are found even where nothing tells of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hookplane.clock import SystemClock
from hookplane.compile.model import Options
from hookplane.store.sqlite.driver import SQLiteStore
from hookplane_cli.local.follow import Follower, Watch
from hookplane_cli.local.reload import Loaded, Reloader
from hookplane_cli.local.secret_files import SecretFiles, open_sealer
from hookplane_cli.local.watch import watch
from support.clocks.until import until
from support.planes.compiled import endpoint_text


class Place:
    """A folder of manifests, and who follows it."""

    def __init__(self, folder: Path, store: SQLiteStore) -> None:
        self.manifests = folder / "manifests"
        self.loaded: list[Loaded] = []
        self.faults: list[str] = []
        self.reloader = Failing(
            sources=(self.manifests,),
            store=store,
            sealer=open_sealer(folder / "data"),
            generated=SecretFiles(folder / "data"),
            options=Options(),
            clock=SystemClock(),
        )

    @asynccontextmanager
    async def following(self, *sources: Path, watch: Watch = watch) -> AsyncIterator[None]:
        """`sources`: what is watched."""
        follower = Follower(
            self.reloader, SystemClock(), self.loaded.append, self.faults.append, watch
        )
        task = asyncio.create_task(follower.run(sources, None))
        try:
            yield
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until_in_force(self, name: str) -> None:
        key = f"webhookendpoints/default/{name}"
        await until(lambda: key in self.reloader.in_force, f"endpoint {name} to be in force")


class Failing(Reloader):
    """Fails as often as it is told to, in a way that nobody foresaw."""

    failures = 0

    async def load(self) -> Loaded:
        if self.failures > 0:
            self.failures -= 1
            raise RecursionError("hush-hush")
        return await super().load()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    store = await SQLiteStore.open(tmp_path / "data", SystemClock())
    yield Place(tmp_path, store)
    await store.close()


async def test_a_change_before_the_watch_began_is_found(place: Place) -> None:
    place.manifests.mkdir()
    await place.reloader.load()
    (place.manifests / "a.yaml").write_text(endpoint_text())
    async with place.following():  # no source: nobody tells of the change
        await place.until_in_force("a")
    assert len(place.loaded) == 1


async def test_an_error_that_nobody_foresaw_ends_nothing(place: Place) -> None:
    place.manifests.mkdir()
    place.reloader.failures = 1
    (place.manifests / "a.yaml").write_text(endpoint_text())
    async with place.following(place.manifests):
        await place.until_in_force("a")
    (told,) = place.faults
    assert "RecursionError" in told
    assert "hush-hush" not in told


async def test_a_watch_that_ended_is_begun_again(place: Place) -> None:
    """The system had no room for one more."""
    place.manifests.mkdir()
    file = place.manifests / "a.yaml"
    begun: list[int] = []

    async def watch_later(sources: Sequence[Path], changed: Callable[[], None]) -> None:
        begun.append(1)
        if len(begun) == 1:
            raise OSError(28, "No space left on device")
        file.write_text(endpoint_text())
        await watch(sources, changed)

    async with place.following(place.manifests, watch=watch_later):
        await place.until_in_force("a")
    assert place.faults == [
        "files are not watched now, only looked at every minute: No space left on device"
    ]
