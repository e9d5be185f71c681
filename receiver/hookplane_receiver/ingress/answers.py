"""Answers as they go out on the wire. Pure."""

from __future__ import annotations

import re
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from hookplane.network.headers import Headers
from hookplane_receiver.ingress.server import InboundResponse

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSE: Final = "close"
KEEP: Final = "keep-alive"
"""What is said of the connection; for clients of HTTP/1.1 keeping it goes without saying."""
SERVER_NAME: Final = "hookplane"
_BODILESS: Final = frozenset({204, 304})
"""RFC 9110 §6.4.1, §8.6: they have neither body nor length."""
_UNSAFE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""RFC 9110 §5.5, all control characters but the tab."""


def answer_bytes(response: InboundResponse, date: bytes, connection: str, method: str) -> bytes:
    """The answer to a request of this method. `date`: as Date has it. Raises ValueError for a
    header that cannot be sent."""
    body = response.body
    content_type = response.content_type if body else ""
    head = _head(response.status, content_type, response.headers, connection)
    if response.status in _BODILESS:
        return b"%bDate: %b\r\n\r\n" % (head, date)
    shown = b"" if method == "HEAD" else body
    return b"%bContent-Length: %d\r\nDate: %b\r\n\r\n%b" % (head, len(body), date, shown)


def refusal(status: HTTPStatus) -> InboundResponse:
    """The status's own words; the connection is good for nothing more."""
    return InboundResponse(status, f"{status.phrase}\n".encode(), close=True)


class DateClock:
    """The value of Date, written once a second."""

    def __init__(self) -> None:
        self._second = -1
        self._date = b""

    def date(self, now: float) -> bytes:
        """`now`: in the loop's time."""
        second = int(now)
        if second != self._second:
            self._second, self._date = second, formatdate(usegmt=True).encode()
        return self._date


@lru_cache(maxsize=1024)
def _head(status: int, content_type: str, headers: Headers, connection: str) -> bytes:
    """Everything that is the same in many answers. Raises ValueError."""
    lines = [f"HTTP/1.1 {status} {_phrase(status)}", f"Server: {SERVER_NAME}"]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    if connection:
        lines.append(f"Connection: {connection}")
    lines += [f"{name}: {value}" for name, value in headers]
    if any(_UNSAFE.search(line) for line in lines):
        raise ValueError("a header of an answer has a control character in it")
    return "".join([f"{line}\r\n" for line in lines]).encode()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
