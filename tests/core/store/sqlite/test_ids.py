"""Event ids are unique over all logs of a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hookplane.errors import RejectedEvent
from support.clocks.manual import ManualClock
from support.planes.store import Scene, open_sqlite


async def test_an_id_that_another_endpoint_has_is_rejected(tmp_path: Path) -> None:
    clock = ManualClock()
    async with open_sqlite(tmp_path, clock) as store:
        scene = Scene(store, clock)
        await scene.endpoints("e", "f")
        event = scene.event("e")
        await scene.store.append(event)
        with pytest.raises(RejectedEvent):
            await scene.store.append(replace(event, endpoint="f"))
