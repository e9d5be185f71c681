"""A gateway's store that is opened and cannot be read is closed again."""

from __future__ import annotations

from typing import Any

import pytest

from hookplane.errors import StoreUnavailable
from hookplane_operator.state.runtime import GatewayRuntime
from support.planes.gateway_store import SEALERS, place


@pytest.mark.parametrize("call", ["load_config", "replays"])
async def test_a_store_that_fails_while_it_is_read(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place() as made:
        opened = await made.opened()

        async def fail(*_: Any) -> None:
            raise StoreUnavailable("away")

        monkeypatch.setattr(made.store, call, fail)
        with pytest.raises(StoreUnavailable, match="away"):
            await GatewayRuntime.load(opened.gateway, opened.dsn, made.store, SEALERS)
        monkeypatch.undo()
        with pytest.raises(StoreUnavailable):
            await made.store.members()
