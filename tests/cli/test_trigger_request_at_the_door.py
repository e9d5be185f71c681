"""Every sample of every provider passes a real front door."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookplane.providers import registry
from hookplane.providers.samples import types
from hookplane_cli.trigger_request import TriggerRequest
from support.planes.receiver import WHSEC, endpoint, open_door

SIGNABLE = sorted(set(registry.PRESETS) - {"Discord", "Generic"})


@pytest.mark.parametrize("provider", SIGNABLE)
async def test_samples_are_accepted(provider: str, tmp_path: Path) -> None:
    config = endpoint("one", provider, keys=[WHSEC])
    async with open_door(tmp_path, config) as door:
        trigger = TriggerRequest(door.url, door.clock)
        for wanted in types(provider):
            result = await trigger(config, wanted)
            assert 200 <= result.status_code < 300, result
        stored = [row.entry.type for row in await door.events("one")]
    assert sorted(stored) == sorted(types(provider))


async def test_a_wrong_key_is_shown_as_it_is(tmp_path: Path) -> None:
    config = endpoint("one", "GitHub", keys=["right-right-right"])
    async with open_door(tmp_path, config) as door:
        other = endpoint("one", "GitHub", keys=["wrong-wrong-wrong"])
        result = await TriggerRequest(door.url, door.clock)(other, None)
    assert (result.status_code, result.event_id) == (401, "")
