"""A disk that is full, and a backup that is restored."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hookplane.errors import StoreUnavailable
from hookplane.store.postgres.driver import PostgresStore
from support.clocks.manual import ManualClock
from support.cluster.missing import left_out
from support.planes.store import Scene, closing_store
from support.postgres.server import PostgresServer, database, require_binaries

DISK_MB = 160
TRIES = 300


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of its own, in which the server makes its folder."""
    if os.getuid() != 0:
        left_out("only root can mount the small disk that this test fills")
    disk = Path("/run") / f"hookplane-disk-{os.getpid()}"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=755", "tmpfs", str(disk)]
    subprocess.run(mount, check=True)
    monkeypatch.setattr("tempfile.tempdir", str(disk))
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)
    disk.rmdir()


async def test_a_full_disk_is_unavailable_until_there_is_room(small_disk: Path) -> None:
    settings = {"max_wal_size": "32MB", "min_wal_size": "32MB", "shared_buffers": "16MB"}
    server = PostgresServer(require_binaries(), settings).create().start()
    try:
        async with database(server) as connection:
            clock = ManualClock()
            async with closing_store(PostgresStore.open(connection, clock)) as store:
                await _fill_and_free(Scene(store, clock), server, small_disk / "filler")
    finally:
        server.remove()


async def _fill_and_free(scene: Scene, server: PostgresServer, filler: Path) -> None:
    await scene.endpoints("e")
    free = os.statvfs(filler.parent).f_bavail * os.statvfs(filler.parent).f_frsize
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(free - (8 << 20), 1 << 20))
    accepted: list[str] = []
    with pytest.raises(StoreUnavailable):
        await _append_until_it_fails(scene, accepted)
    await asyncio.to_thread(filler.unlink)
    for _ in range(TRIES):
        if not server.is_running:  # without room for its log PostgreSQL ends itself
            await asyncio.to_thread(server.start)
        try:
            accepted.append((await scene.append()).event_id)
            break
        except StoreUnavailable:
            await asyncio.sleep(0.1)
    log = await scene.store.read_log("e", 0, 1_000)
    assert accepted
    assert {entry.event_id for entry in log} >= set(accepted)
    assert [entry.sequence for entry in log] == list(range(1, len(log) + 1))


async def _append_until_it_fails(scene: Scene, accepted: list[str]) -> None:
    for _ in range(TRIES):
        event = await scene.append(body=os.urandom(200_000))
        accepted.append(event.event_id)


async def test_a_restored_backup_delivers_again_what_it_does_not_know() -> None:
    server = PostgresServer(require_binaries()).create().start()
    backup = PostgresServer(require_binaries())
    try:
        async with database(server) as settings:
            clock = ManualClock()
            store = await PostgresStore.open(settings, clock)
            scene = Scene(store, clock)
            await scene.endpoints("e")
            await scene.subscription("s")
            kept = await scene.fill(3)
            owner = await scene.owner()
            await owner.deliver(kept[0])
            await asyncio.to_thread(backup.copy_of, server)
            await owner.deliver(kept[1])  # after the backup
            await scene.fill(2)  # gone with the database
            await store.close()
            await asyncio.to_thread(server.stop, signal.SIGINT)
            await asyncio.to_thread(backup.start)
            await asyncio.to_thread(backup.promote)
            name = settings.dsn.reveal().decode().rpartition("/")[2].partition("?")[0]
            async with closing_store(PostgresStore.open(backup.settings(name), clock)) as restored:
                scene = Scene(restored, clock, scene.ids)
                assert await restored.read_log("e", 0, 10) == kept
                claimed = (await scene.owner()).claimed
                assert claimed.cursors == {"e": 1}  # so 2 is delivered again, and then 3
                assert [entry.sequence for entry in await scene.fill(1)] == [4]
            await asyncio.to_thread(server.start)  # to drop the database
    finally:
        backup.remove()
        server.remove()
