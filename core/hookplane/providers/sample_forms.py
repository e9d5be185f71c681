"""What the samples of all providers are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from hookplane.clock import Millis
from hookplane.units import format_time

JSON: Final = (("content-type", "application/json"),)
FORM: Final = (("content-type", "application/x-www-form-urlencoded"),)
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Seed:
    """What differs from sample to sample."""

    type: str
    id: str
    now: Millis

    @property
    def seconds(self) -> int:
        return self.now // 1000

    @property
    def number(self) -> int:
        return int(self.id, 16) % 10**15


Build = Callable[[Seed], tuple[Headers, bytes]]


@dataclass(frozen=True, slots=True)
class Samples:
    types: tuple[str, ...]
    build: Build
    open: bool = False
    """Any other type can be built as well."""


def json_request(value: Mapping[str, Any], *headers: tuple[str, str]) -> tuple[Headers, bytes]:
    """A body of JSON with its headers."""
    return (*JSON, *headers), orjson.dumps(value)


def _standard(seed: Seed) -> tuple[Headers, bytes]:
    data = {"id": f"ord_{seed.number}", "amount": 4200, "currency": "EUR"}
    return json_request({"type": seed.type, "timestamp": format_time(seed.now), "data": data})


FREE: Final = Samples(("order.created", "order.paid", "order.cancelled"), _standard, open=True)
