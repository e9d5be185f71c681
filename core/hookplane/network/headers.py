"""Headers of a request, as every part passes them on."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

Headers = tuple[tuple[str, str], ...]
"""Header names in lower case with their values, in the order of arrival."""

TEXT_ERRORS: Final = "surrogateescape"
"""Header values are UTF-8 with this error handler, so that any bytes survive both ways."""
USER_AGENT: Final = f"hookplane/{version('hookplane')}"
"""Who we say we are to the servers that we send requests to."""
CLOUD_EVENT_PREFIX: Final = "ce-"
"""Attributes of a CloudEvent in the binary mode of HTTP (protocol binding §3.1) begin so."""
CONNECTION_HEADER_NAMES: Final = (
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "Upgrade",
    "TE",
    "Trailer",
    "Expect",
)
"""Headers of one connection or one message on it, not of what is sent (RFC 9110 §7.6.1), as people
write them. They are neither kept with an event nor to be set by users."""
CONNECTION_HEADERS: Final = frozenset(name.lower() for name in CONNECTION_HEADER_NAMES)
"""The same in lower case."""


def header_bytes(value: str) -> bytes:
    """A header value as the bytes that were sent."""
    return value.encode("utf-8", TEXT_ERRORS)
