"""A world whose time passes only when all wait: any test that names `world` runs in it, and so does
one that names `moves`, for that time alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.clocks.virtual import Loops, virtual_with
from support.planes.dispatcher import World, living


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Function) -> Loops:
    return virtual_with(item, "world", "moves")


@pytest.fixture
def seed() -> int:
    """Where the world's randomness begins; a test may be parametrized with it."""
    return 1


@pytest.fixture
async def world(tmp_path: Path, seed: int) -> AsyncIterator[World]:
    """A world of its own with an endpoint `orders`."""
    async with living(tmp_path, seed) as made:
        yield made
