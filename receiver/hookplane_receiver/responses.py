"""What senders get to see: the configured answer, or a constant line that tells them nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from hookplane.config.endpoint import Answer
from hookplane.providers.handshakes import HandshakeReply
from hookplane.rejections import RejectReason
from hookplane_receiver.ingress.server import InboundResponse

BODILESS: Final = frozenset({204, 205})
STATUS: Final = {
    RejectReason.SOURCE: 403,
    RejectReason.SIZE: 413,
    RejectReason.RATE: 429,
    RejectReason.SIGNATURE: 401,
    RejectReason.SIGNATURE_MISSING: 401,
    RejectReason.TIMESTAMP: 401,
    RejectReason.API_KEY: 401,
    RejectReason.BASIC: 401,
    RejectReason.BEARER: 401,
    RejectReason.CLIENT_CERTIFICATE: 401,
    RejectReason.HANDSHAKE: 403,
    RejectReason.MALFORMED: 400,
    RejectReason.METHOD: 405,
    RejectReason.NOT_READY: 503,
    RejectReason.SUSPENDED: 503,
    RejectReason.STORE: 503,
    RejectReason.EVENTS_QUOTA: 429,
    RejectReason.STORAGE_QUOTA: 503,
    RejectReason.NO_ROOM: 503,
}
RETRY_SECONDS: Final = {
    RejectReason.NOT_READY: 30,
    RejectReason.SUSPENDED: 30,
    RejectReason.STORE: 5,
    RejectReason.STORAGE_QUOTA: 60,
    RejectReason.NO_ROOM: 5,
}
CLOSING: Final = frozenset({RejectReason.SIZE, RejectReason.CLIENT_CERTIFICATE})
"""The connection is good for nothing more; another certificate takes another connection."""
_EVENT_ID: Final = "{event.id}"


class Rejected(Exception):
    """The request is not accepted. `detail` is for the endpoint's people, never for the sender."""

    def __init__(
        self,
        reason: RejectReason,
        detail: str,
        *,
        status: int = 0,
        retry_seconds: float = 0,
        allow: str = "",
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.status = status or STATUS[reason]
        self.retry_seconds = retry_seconds or RETRY_SECONDS.get(reason, 0)
        self.allow = allow

    def response(self) -> InboundResponse:
        headers: tuple[tuple[str, str], ...] = ()
        if self.retry_seconds:
            headers += (("Retry-After", str(math.ceil(self.retry_seconds))),)
        if self.allow:
            headers += (("Allow", self.allow),)
        close = self.reason in CLOSING or self.status == HTTPStatus.REQUEST_TIMEOUT
        return plain(self.status, headers, close=close)


def plain(
    status: int, headers: tuple[tuple[str, str], ...] = (), *, close: bool = False
) -> InboundResponse:
    """The status's own words and nothing else."""
    body = f"{HTTPStatus(status).phrase}\n".encode()
    return InboundResponse(status, body, headers=headers, close=close)


def handshake_answer(reply: HandshakeReply) -> InboundResponse:
    """A handshake's reply; what it echoes must not be taken for anything but what it is."""
    headers = (("X-Content-Type-Options", "nosniff"), *reply.headers)
    return InboundResponse(reply.status, reply.body, reply.content_type, headers)


@dataclass(frozen=True, slots=True)
class PreparedAnswer:
    """An answer whose body is cut where the event's id goes."""

    status: int
    content_type: str
    parts: tuple[bytes, ...]
    headers: tuple[tuple[str, str], ...] = ()

    def response(self, event_id: str) -> InboundResponse:
        body = event_id.encode().join(self.parts)
        return InboundResponse(self.status, body, self.content_type, self.headers)


@dataclass(frozen=True, slots=True)
class PreparedAnswers:
    """The answers of one endpoint to events that are stored."""

    default: PreparedAnswer
    by_type: Mapping[str, PreparedAnswer]

    def response(self, event_type: str, event_id: str) -> InboundResponse:
        return self.by_type.get(event_type, self.default).response(event_id)


def prepare_answers(
    default: Answer, by_type: Mapping[str, Answer], *, private: bool
) -> PreparedAnswers:
    """Done once for every endpoint. `private`: a request may have a token in its query."""
    # RFC 6750 §2.3: an answer to a token in the query must not be cached by others.
    headers = (("Cache-Control", "private"),) if private else ()
    return PreparedAnswers(
        _prepare(default, headers),
        {event_type: _prepare(answer, headers) for event_type, answer in by_type.items()},
    )


def _prepare(answer: Answer, headers: tuple[tuple[str, str], ...]) -> PreparedAnswer:
    body = "" if answer.status in BODILESS else answer.body
    parts = tuple(part.encode() for part in body.split(_EVENT_ID))
    return PreparedAnswer(answer.status, answer.content_type, parts, headers)
