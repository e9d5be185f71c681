"""What a gateway's runtime keeps in mind; a store that cannot be read is closed again."""

from __future__ import annotations

from typing import Any

import pytest

from hookplane.compile.model import ObjectKey
from hookplane.errors import StoreUnavailable
from hookplane_operator.state.result import ReconcileResult
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
            await GatewayRuntime.load(
                opened.gateway, opened.dsn, made.store, SEALERS, own=frozenset()
            )
        monkeypatch.undo()
        with pytest.raises(StoreUnavailable):
            await made.store.members()


def key(name: str) -> ObjectKey:
    return ObjectKey("WebhookSubscription", "shop", name)


async def test_only_what_was_known_and_is_gone_wants_a_sweep() -> None:
    async with place() as made:
        runtime = await made.opened()
        runtime.begin_sweep(0.0)  # the one after a start
        for name in ("a", "b"):
            runtime.record_result(ReconcileResult(key(name), name, 1))
        runtime.forget_object(key("never seen"))
        assert (runtime.sweep_wanted, len(runtime.results)) == (False, 2)
        runtime.forget_object(key("a"))
        assert (runtime.sweep_wanted, list(runtime.results)) == (True, [key("b")])
        runtime.forget_object(key("never seen"))
        assert runtime.sweep_wanted
        runtime.begin_sweep(1.0)
        assert not runtime.sweep_wanted


async def test_a_replay_that_was_cancelled_is_not_in_the_store_and_its_neighbour_is() -> None:
    async with place() as made:
        runtime = await made.opened()
        for uid in ("a", "b"):
            runtime.record_replay(uid)
        runtime.forget_replay("a")
        assert [runtime.has_replay(uid) for uid in "abc"] == [False, True, False]
        assert runtime.replays_besides({"a"}) == {"b"}
        assert runtime.replays_besides({"b"}) == set()
