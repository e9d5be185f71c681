"""What a delivery says of its event besides the body, so that a consumer which understands the
provider can stand behind Hookplane unchanged."""

from __future__ import annotations

from collections.abc import Set
from typing import Final
from urllib.parse import quote

from hookplane.filters.event import EventView
from hookplane.filters.transform import header_text
from hookplane.network.headers import CLOUD_EVENT_PREFIX, Headers

TYPE_HEADER: Final = "hookplane-event-type"
ENDPOINT_HEADER: Final = "hookplane-endpoint"
KEY_HEADER: Final = "hookplane-key"


def told(event: EventView, described: Headers, passed: Set[str]) -> list[tuple[str, str]]:
    """All headers that speak of an event: `described`, which say what the bytes are, its type,
    endpoint and key, and those of its request whose names are in `passed`, as they came. Attributes
    of a CloudEvent pass too, unless `described` has its own."""
    taken = {name for name, _ in described}
    is_cloud_event = any(name.startswith(CLOUD_EVENT_PREFIX) for name in taken)
    return [
        *described,
        (TYPE_HEADER, _plain(event.type)),
        (ENDPOINT_HEADER, f"{event.namespace}/{event.endpoint}"),
        *([(KEY_HEADER, _key(event.key))] if event.key else []),
        *(
            header
            for header in event.headers
            if header[0] not in taken
            and (
                header[0] in passed
                or (header[0].startswith(CLOUD_EVENT_PREFIX) and not is_cloud_event)
            )
        ),
    ]


def _plain(text: str) -> str:
    """As it is, blanks included, unless there are characters in it that no header has."""
    return text if text.isascii() and text.isprintable() else header_text(text)


def _key(text: str) -> str:
    """As it is, or percent-encoded when it has a percent sign or what no header has, so that no two
    keys are told alike, and decoding gives the key either way."""
    if "%" in text:
        return quote(text, safe="")
    return _plain(text)
