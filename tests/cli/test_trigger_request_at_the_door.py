"""Every sample of every provider passes a real front door."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookplane.config.endpoint import Source
from hookplane.providers import registry
from hookplane.providers.samples import types
from hookplane_cli.trigger_request import TriggerRequest
from hookplane_console.trigger import SampleWish
from support.planes.receiver import WHSEC, endpoint, open_door

SIGNABLE = sorted(set(registry.PRESETS) - {"Discord", "Generic"})


@pytest.mark.parametrize("provider", SIGNABLE)
async def test_samples_are_accepted(provider: str, tmp_path: Path) -> None:
    config = endpoint("one", provider, keys=[WHSEC])
    async with open_door(tmp_path, config) as door:
        trigger = TriggerRequest(door.url, door.clock)
        for wanted in types(provider):
            result = await trigger(config, SampleWish(wanted))
            assert 200 <= result.status_code < 300, result
        stored = [row.entry.type for row in await door.events("one")]
    assert sorted(stored) == sorted(types(provider))


async def test_a_wrong_key_is_shown_as_it_is(tmp_path: Path) -> None:
    config = endpoint("one", "GitHub", keys=["right-right-right"])
    async with open_door(tmp_path, config) as door:
        other = endpoint("one", "GitHub", keys=["wrong-wrong-wrong"])
        result = await TriggerRequest(door.url, door.clock)(other, SampleWish())
    assert (result.status_code, result.event_id) == (401, "")


@pytest.mark.parametrize("source", [Source(body_path="data.customer.id"), Source(header="x-key")])
async def test_a_key_of_ones_own_is_that_of_the_event(source: Source, tmp_path: Path) -> None:
    config = endpoint("one", "StandardWebhooks", keys=[WHSEC], event_key=source)
    async with open_door(tmp_path, config) as door:
        trigger = TriggerRequest(door.url, door.clock)
        assert (await trigger(config, SampleWish(key="cus_1"))).status_code == 200
        body = '{"type":"order.paid","text":"ä"}'
        assert (await trigger(config, SampleWish(key="cus_2", body=body))).type == "order.paid"
        stored = [(row.entry.key, row.entry.type) for row in await door.events("one")]
    assert stored == [("cus_2", "order.paid"), ("cus_1", "order.created")]
