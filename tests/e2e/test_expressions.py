"""Expressions that take all they can get, in a real process with others beside them."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.clocks.until import until
from support.cluster.e2e import plane, subscriber
from support.cluster.scene import ENDPOINT, Scene
from support.expressions import ENDLESS, GROWING, children
from support.http.providers import WHSEC

MOST_MEMORY = 768 << 20
"""What the chart lets a dispatcher have."""
LONG = "a" * 900_000
PATIENCE = 300.0
"""Seconds: 5 of CPU may take long on a machine that is busy, as these processes stand behind."""


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with subscriber() as target, plane(tmp_path) as running:
        running.write("endpoint", ENDPOINT.format(key=WHSEC))
        yield Scene(running, target)


def pid_of(scene: Scene) -> int:
    assert scene.plane.process is not None
    return scene.plane.process.pid


def memory(process: int) -> int:
    """Bytes in use of a process and all its children; what ended meanwhile has none."""
    total = 0
    for one in {process, *children(process)}:
        try:
            pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
        except (OSError, IndexError):
            continue
        total += pages * resource.getpagesize()
    return total


async def test_expressions_that_take_all_they_get_cost_nobody_else(scene: Scene) -> None:
    """Time and memory at once; each was the end of the process."""
    hostile = {"endless": ENDLESS.replace("body.s", "body.data.s"), "growing": GROWING}
    for name, text in hostile.items():
        scene.subscribe(f"filter: {{cel: {json.dumps(text)}}}", name=name)
    scene.subscribe("", name="shop")
    await scene.plane.start()
    sizes: list[int] = []
    watching = asyncio.create_task(_watch(pid_of(scene), sizes))
    await scene.send(s=LONG)
    for n in range(20):
        await scene.send(n=n, s="b")
        await scene.plane.api("GET", "/endpoints")
    await scene.until_status("the good one to have all", delivered=21)

    async def are_stopped() -> bool:
        found = [await scene.status(name) for name in hostile]
        return all(x["delivery"]["filterErrors"] > 0 for x in found)

    await until(are_stopped, "both to be stopped", PATIENCE)
    watching.cancel()
    assert [seen.path for seen in scene.target.received].count("/shop") == 21
    assert max(sizes) < MOST_MEMORY
    print(f"memory of the process with its children: at most {max(sizes) >> 20} MiB")


async def _watch(process: int, sizes: list[int]) -> None:
    while True:
        sizes.append(memory(process))
        await asyncio.sleep(0.02)


async def test_one_that_is_stopped_again_and_again_says_that_it_is_held(scene: Scene) -> None:
    scene.subscribe(f"filter: {{cel: {json.dumps(GROWING)}}}")
    await scene.plane.start()
    for _ in range(3):
        await scene.send()
    status = await scene.until_status("it to be held", state="Held", filterErrors=3)
    assert status["delivery"]["heldExpression"] == "filter"
    told = await asyncio.to_thread(_status, scene)
    assert "Held" in told
    assert "shop: spec.filter.cel may not run before" in told


async def test_a_process_that_is_killed_leaves_none_behind(scene: Scene) -> None:
    scene.subscribe('filter: {cel: "event.body.data.l.map(x, x) != [1]"}')
    await scene.plane.start()
    await scene.send(l=[1, 2])
    await scene.arrived(1)
    left = children(pid_of(scene))
    assert left
    os.kill(pid_of(scene), signal.SIGKILL)
    await until(lambda: not any(map(_is_alive, left)), "all processes to end")


def _status(scene: Scene) -> str:
    command = [sys.executable, "-m", "hookplane_cli", "status"]
    known = {**os.environ, "HOOKPLANE_DATA": str(scene.plane.data)}
    return subprocess.run(command, env=known, capture_output=True, text=True, check=True).stdout


def _is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/cmdline").read_text() != ""
    except OSError:
        return False
