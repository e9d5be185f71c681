"""Requests that are signed before the clock runs, and the number that tells events apart.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

KEY: Final = base64.b64encode(b"a key for benchmarks, 32 bytes!!").decode()
"""Of all endpoints and subscriptions here; `whsec_` and this is what their Secret holds."""
SIZE: Final = 1024
"""Bytes of a body, unless said otherwise."""
_DIGITS: Final = 12
_START: Final = b'{"type":"bench","n":"'
NUMBER: Final = slice(len(_START), len(_START) + _DIGITS)
"""Where a body has its number."""
LEAST: Final = len(_START) + _DIGITS + len(b'","pad":""}')


def body(number: int, size: int = SIZE) -> bytes:
    """JSON of exactly `size` bytes, at least LEAST."""
    pad = b"x" * (size - LEAST)
    return b'%b%0*d","pad":"%b"}' % (_START, _DIGITS, number, pad)


def signature(event: str, timestamp: int, content: bytes, key: bytes) -> str:
    """`v1,…` of Standard Webhooks."""
    mac = hmac.digest(key, f"{event}.{timestamp}.".encode() + content, "sha256")
    return "v1," + base64.b64encode(mac).decode()


def signed_request(url: str, number: int, timestamp: int, size: int) -> bytes:
    """A whole HTTP request. `timestamp`: Unix seconds."""
    parts = urlsplit(url)
    content, event = body(number, size), f"msg_{number}"
    signed = signature(event, timestamp, content, base64.b64decode(KEY))
    head = (
        f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {size}\r\nwebhook-id: {event}\r\n"
        f"webhook-timestamp: {timestamp}\r\nwebhook-signature: {signed}\r\n\r\n"
    )
    return head.encode() + content


def signed_requests(
    url: str, numbers: range, size: int, begin: float, rate: float
) -> Sequence[bytes]:
    """Each bears the time at which it is meant to be sent; `rate` 0: all at `begin`."""
    pace = 1 / rate if rate else 0.0
    return [
        signed_request(url, number, int(begin + place * pace), size)
        for place, number in enumerate(numbers)
    ]
