"""One store of each driver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.clocks.manual import ManualClock
from support.planes.store import DRIVERS, Scene


@pytest.fixture(params=sorted(DRIVERS))
async def bare_scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    """A store in which nothing ever was."""
    clock = ManualClock()
    async with DRIVERS[request.param](tmp_path, clock) as store:
        yield Scene(store, clock)


@pytest.fixture
async def scene(bare_scene: Scene) -> Scene:
    """An empty store with one endpoint `e`."""
    await bare_scene.endpoints("e")
    return bare_scene
