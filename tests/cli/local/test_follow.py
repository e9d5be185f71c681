"""Changes are found even where nothing tells of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hookplane.clock import SystemClock
from hookplane.compile.model import Options
from hookplane.store.sqlite.driver import SQLiteStore
from hookplane_cli.local.follow import Follower
from hookplane_cli.local.reload import Loaded, Reloader
from hookplane_cli.local.secret_files import SecretFiles, open_sealer
from support.clocks.until import until
from support.planes.compiled import endpoint_text


async def test_a_change_before_the_watch_began_is_found(tmp_path: Path) -> None:
    manifests, data = tmp_path / "manifests", tmp_path / "data"
    manifests.mkdir()
    clock = SystemClock()
    store = await SQLiteStore.open(data, clock)
    reloader = Reloader(
        sources=(manifests,),
        store=store,
        sealer=open_sealer(data),
        generated=SecretFiles(data),
        options=Options(),
        clock=clock,
    )
    await reloader.load()
    (manifests / "a.yaml").write_text(endpoint_text())
    seen: list[Loaded] = []
    follower = Follower(reloader, clock, seen.append, lambda _: None)
    task = asyncio.create_task(follower.run((), None))  # no source: nobody tells of the change
    await until(
        lambda: "webhookendpoints/default/a" in reloader.in_force, "the endpoint to be in force"
    )
    assert len(seen) == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.close()
