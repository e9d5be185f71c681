"""A sample with a body and a key of one's own, changed before it is signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from hookplane.config.endpoint import EndpointConfig, Source
from hookplane.providers.extract import UNKNOWN_TYPE, Facts
from hookplane.providers.registry import reader
from hookplane.providers.samples import Sample
from hookplane_console.trigger import SampleWish, TriggerRefused

_NO_KEY: Final = (
    "events of {0} have no key: its spec.key names no header and no place in the body where one is"
)


def wished(endpoint: EndpointConfig, wish: SampleWish, made: Sample) -> Sample:
    """The sample as it is wished. Raises TriggerRefused where it cannot be so."""
    if wish.body is not None:
        made = _with_body(endpoint, wish, made, wish.body.encode())
    if wish.key is not None:
        made = _with_key(endpoint.name, endpoint.event_key, wish.key, made)
    return made


def _with_body(endpoint: EndpointConfig, wish: SampleWish, made: Sample, body: bytes) -> Sample:
    """Where the type is read from the body, it is that of the body."""
    if endpoint.event_type.header is not None:
        return replace(made, body=body)
    found = reader(endpoint.event_type).read(Facts(made.headers, body)) or UNKNOWN_TYPE
    if wish.type not in (None, found):
        raise TriggerRefused(
            f'with this body the type of the event is "{found[:80]}": {endpoint.name} reads it '
            "from the body. Write it there, or leave the type out"
        )
    return replace(made, body=body, type=found)


def _with_key(name: str, source: Source | None, key: str, made: Sample) -> Sample:
    if source is None or (source.header is None and source.body_path is None):
        raise TriggerRefused(_NO_KEY.format(name))
    if source.body_path is None:
        return made  # it goes into a header
    return replace(made, body=_written(made.body, source.body_path.split("."), key))


def _written(body: bytes, steps: Sequence[str], key: str) -> bytes:
    """The JSON body with this text at a path; objects that are not there are made."""
    where = ".".join(steps)
    try:
        place = whole = orjson.loads(body)
        for step in steps[:-1]:
            place = _inside(place, step)
        place[int(steps[-1]) if isinstance(place, list) else steps[-1]] = key
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise TriggerRefused(
            f'spec.key looks for the key in the body at "{where}", and this body has no place there'
        ) from error
    return orjson.dumps(whole)


def _inside(place: Any, step: str) -> Any:
    return place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
