"""Makes the body that is sent, and the headers that describe it, from an event."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import orjson

from hookplane.filters.event import EventView, check_json, claims_json
from hookplane.network.headers import Headers
from hookplane.units import format_time

JSON: Final = "application/json"
CLOUD_EVENT: Final = "application/cloudevents+json; charset=UTF-8"
SPEC_VERSION: Final = "1.0"
"""https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md"""

_HEADER_TEXT: Final = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True)
class Payload:
    """A body with the headers that describe it, Content-Type among them unless it had none."""

    headers: Headers
    body: bytes


Transform = Callable[[EventView], Payload]
"""Makes the payload for an event. Raises InvalidValue when the event cannot be transformed."""


def make_transform(cloud_events: str | None) -> Transform:
    """The transform to a CloudEvent of this mode; None: the body is sent unchanged."""
    return _TRANSFORMS[cloud_events]


def unchanged(event: EventView) -> Payload:
    """The body as it was received, with the headers that say what its bytes are."""
    headers = _content_type(event)
    for header in event.headers:
        if header[0] == "content-encoding":
            headers += (header,)
    return Payload(headers, event.body)


def _content_type(event: EventView) -> Headers:
    """The first one that was sent."""
    for header in event.headers:
        if header[0] == "content-type":
            return (header,)
    return ()


def _attributes(event: EventView) -> dict[str, str]:
    return {
        "specversion": SPEC_VERSION,
        "id": event.event_id,
        "source": f"/{event.namespace}/{event.endpoint}",
        "type": event.type or "hookplane.event",
        "time": format_time(event.received),
    }


def binary(event: EventView) -> Payload:
    """Attributes as `ce-` headers (HTTP protocol binding §3.1); the body as it was received."""
    attributes = tuple(
        (f"ce-{name}", header_text(text)) for name, text in _attributes(event).items()
    )
    return Payload(unchanged(event).headers + attributes, event.body)


def structured(event: EventView) -> Payload:
    """One JSON object (JSON event format §3.1). Raises InvalidValue for a body that claims to be
    JSON and is not."""
    envelope: dict[str, Any] = dict(_attributes(event))
    content_type = _content_type(event)
    if content_type:
        envelope["datacontenttype"] = content_type[0][1]
    envelope |= _data(event)
    return Payload((("content-type", CLOUD_EVENT),), orjson.dumps(envelope))


def _data(event: EventView) -> dict[str, Any]:
    if not event.body:
        return {}
    if claims_json(event.headers):
        check_json(event.body)
        return {"data": orjson.Fragment(event.body)}
    return {"data_base64": base64.b64encode(event.body).decode()}


def header_text(text: str) -> str:
    """Percent-encodes what a header cannot carry (HTTP protocol binding §3.1.3.2)."""
    return text if _HEADER_TEXT.fullmatch(text) else quote(text, safe="!#$&'()*+,/:;=?@[]~")


_TRANSFORMS: Final[dict[str | None, Transform]] = {
    None: unchanged,
    "Binary": binary,
    "Structured": structured,
}
