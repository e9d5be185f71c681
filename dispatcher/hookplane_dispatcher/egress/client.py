"""The seam between the dispatcher and HTTP: what an egress client promises."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from hookplane.clock import Millis
from hookplane.config.subscription import TLSConfig
from hookplane.secret import Secret

MAX_ANSWER_BYTES: Final = 64 * 1024
"""An answer that is longer is cut and its connection closed."""
KEPT_ANSWER_BYTES: Final = 1024
"""So much of an answer is kept with the attempt."""


class EgressError(StrEnum):
    """Why no answer came; the text users see in status and attempts begins with it."""

    REFUSED_ADDRESS = "address not allowed"
    BAD_URL = "URL not valid"
    BAD_HEADER = "header not valid"
    DNS = "name does not resolve"
    CONNECT = "connection failed"
    TLS = "TLS failed"
    TIMEOUT = "timed out"
    PROTOCOL = "answer is not valid HTTP"
    CLOSED = "connection closed before the answer"
    TOKEN = "no access token"  # noqa: S105


@dataclass(frozen=True, slots=True)
class OutboundRequest:
    """A POST. `url` may be secret; it never shows in errors."""

    url: Secret
    headers: tuple[tuple[str, str], ...]
    body: bytes
    timeout: Millis
    """From looking up the address to the end of the answer."""
    tls: TLSConfig | None = None
    services: tuple[str, ...] = ()
    """Private addresses that may be dialled for this request, such as a Service's."""
    namespace: str = ""
    """On whose behalf: what all requests share, each namespace has a share of."""
    hidden: bool = False
    """Whether nobody may see where it goes, because the URL is a secret."""


@dataclass(frozen=True, slots=True)
class OutboundResponse:
    """An answer, or why there is none (`status_code` 0 and `error` set)."""

    status_code: int
    duration: Millis
    body: bytes = b""
    """At most MAX_ANSWER_BYTES, as sent (never decompressed)."""
    retry_after: str | None = None
    error: EgressError | None = None
    detail: str = ""
    """For people; without anything secret. The address is in it when it is the reason."""


class EgressClient(Protocol):
    """Sends POSTs. No redirects, no proxy variables, no cookies, no decompression."""

    async def post(self, request: OutboundRequest) -> OutboundResponse:
        """Never raises for what a target or a network does."""

    async def close(self) -> None:
        """Closes idle connections; what is under way fails."""
