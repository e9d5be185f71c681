"""The examples of docs/own-events.md, as they are pasted."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import textwrap
from pathlib import Path

import pytest

from hookplane.clock import SystemClock
from support.planes.receiver import WHSEC, Door, endpoint, open_door

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-events.md"
PROGRAMS = {
    "curl": ("bash", "-e", "-o", "pipefail", "-c"),
    "Python": (sys.executable, "-c"),
    "JavaScript": ("node", "--input-type=module", "-e"),
}


def example(title: str) -> str:
    """The indented lines of a section."""
    section = PAGE.read_text("utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("    ") or not line]
    return textwrap.dedent("\n".join(lines)).strip()


async def run(title: str, door: Door) -> None:
    given = {"ORDERS_URL": f"{door.url}/default/orders", "ORDERS_SECRET": WHSEC}
    words = (*PROGRAMS[title], example(title))
    process = await asyncio.create_subprocess_exec(*words, env={**os.environ, **given})
    assert await process.wait() == 0


@pytest.mark.parametrize("title", PROGRAMS)
async def test_an_example_sends_an_event(title: str, tmp_path: Path) -> None:
    if shutil.which(PROGRAMS[title][0]) is None:
        pytest.skip(f"there is no {PROGRAMS[title][0]} here")
    async with open_door(tmp_path, endpoint("orders", keys=[WHSEC])) as door:
        door.clock.advance(SystemClock().now() - door.clock.now())
        await run(title, door)
        assert [row.entry.type for row in await door.events("orders")] == ["order.paid"]
