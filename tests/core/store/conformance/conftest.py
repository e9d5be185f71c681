"""One store of each driver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.clocks.manual import ManualClock
from support.planes.store import DRIVERS, Scene


@pytest.fixture(params=sorted(DRIVERS))
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    """An empty store with one endpoint `e`."""
    clock = ManualClock()
    async with DRIVERS[request.param](tmp_path, clock) as store:
        scene = Scene(store, clock)
        await scene.endpoints("e")
        yield scene
