"""A target for ASGI servers. It speaks the paths of tests/support/servers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def application(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    path = scope["path"]
    if path == "/early":  # before anything of the body is read
        await _answer(send, 401, b"", (b"content-length", b"0"))
        return
    length = await _length(receive)
    if path in _STATUSES:
        await _answer(send, *_STATUSES[path])
    elif path == "/chunked":
        await _chunked(scope, send)
    elif path == "/large":
        await _answer(send, 200, b"x" * (1 << 20))
    else:
        text = json.dumps({"port": scope["client"][1], "length": length}).encode()
        await _answer(send, 200, text, (b"content-length", str(len(text)).encode()))


_STATUSES: dict[str, tuple[Any, ...]] = {
    "/204": (204, b""),
    "/304": (304, b""),
    "/304-length": (304, b"", (b"content-length", b"1234")),
}


async def _length(receive: Receive) -> int:
    length, more = 0, True
    while more:
        message = await receive()
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    return length


async def _answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


async def _chunked(scope: Message, send: Send) -> None:
    """With trailers, where the server has them."""
    trailers = "http.response.trailers" in scope.get("extensions", {})
    start = {"type": "http.response.start", "status": 200, "headers": [], "trailers": trailers}
    await send(start)
    await send({"type": "http.response.body", "body": b"one ", "more_body": True})
    await send({"type": "http.response.body", "body": b"two"})
    if trailers:
        await send({"type": "http.response.trailers", "headers": [(b"x-checked", b"yes")]})
