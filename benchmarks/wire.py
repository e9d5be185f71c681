"""As much of HTTP/1.1 as the measuring programs need, and cheap: messages with a Content-Length."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"\r\ncontent-length:"


def message_end(data: bytes) -> tuple[int, int] | None:
    """Where the body begins and ends; None while something is missing."""
    head = data.find(_END)
    if head < 0:
        return None
    begin = head + len(_END)
    end = begin + _body_size(data[:head])
    return (begin, end) if len(data) >= end else None


@lru_cache(maxsize=1024)
def _body_size(head: bytes) -> int:
    return int(header(head, _LENGTH) or 0)


def header(head: bytes, name: bytes) -> bytes:
    """`name`: in lower case, from the line break before it to the colon."""
    begin = head.lower().find(name)
    if begin < 0:
        return b""
    begin += len(name)
    end = head.find(b"\r\n", begin)
    return head[begin : end if end >= 0 else len(head)].strip()


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    """`status`: such as `200 OK`."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + _END + body
