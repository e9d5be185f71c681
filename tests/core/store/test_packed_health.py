"""A target's health as bytes."""

from __future__ import annotations

from hookplane.store.delivery_store import CircuitState, ExpressionKind, TargetHealth
from hookplane.store.packed_health import pack_state, unpack_state


def test_it_comes_back_as_it_was() -> None:
    state = TargetHealth(
        circuit=CircuitState.OPEN,
        failed_several=True,
        last_failure_error="ü",
        held_expression=ExpressionKind.TRANSFORM,
    )
    assert unpack_state(pack_state(state)) == state
    assert unpack_state(pack_state(state)).held_expression is ExpressionKind.TRANSFORM


def test_text_that_no_encoding_has_is_made_storable_and_nothing_else_is_lost() -> None:
    state = TargetHealth(circuit=CircuitState.OPEN, last_failure=5, last_failure_error="a\ud800b")
    expected = TargetHealth(
        circuit=CircuitState.OPEN, last_failure=5, last_failure_error="a\ufffdb"
    )
    assert unpack_state(pack_state(state)) == expected
