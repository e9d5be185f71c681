"""A subscription's state as JSON. What is absent has its default, what is unknown is left out."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

import orjson

from hookplane.store.delivery_store import CircuitState, ExpressionKind, TargetHealth
from hookplane.store.storable_text import storable

_NAMES: Final = frozenset(field.name for field in fields(TargetHealth))


def pack_state(state: TargetHealth) -> bytes:
    """The inverse of `unpack_state`."""
    try:
        return orjson.dumps(state)
    except orjson.JSONEncodeError:
        values = {name: getattr(state, name) for name in _NAMES}
        return orjson.dumps(
            {name: storable(x) if isinstance(x, str) else x for name, x in values.items()}
        )


def unpack_state(packed: bytes) -> TargetHealth:
    """Reads `pack_state`'s form."""
    values = {name: value for name, value in orjson.loads(packed).items() if name in _NAMES}
    if "circuit" in values:
        values["circuit"] = CircuitState(values["circuit"])
    if held := values.get("held_expression"):
        values["held_expression"] = ExpressionKind(held)
    return TargetHealth(**values)
