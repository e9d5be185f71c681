"""Virtual time for tests that name `deadlines`."""

from __future__ import annotations

import pytest

from support.clocks.virtual import Loops, virtual_with


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Function) -> Loops:
    return virtual_with(item, "deadlines")
