"""The form of every answer, and a request that is refused."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web


class Refusal(Exception):
    """Becomes an answer: `{"error": {"field": …, "message": …}}`."""

    def __init__(self, status: int, message: str, field: str = "") -> None:
        """`field`: the parameter or member that is wrong; empty: the request as a whole."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field


def error_body(message: str, field: str = "") -> dict[str, Any]:
    return {"error": {"field": field, "message": message}}


def json_response(data: Any, status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps(data) + b"\n", content_type="application/json"
    )


def listing(items: list[dict[str, Any]], following: str | None = None) -> web.Response:
    """`following`: what `before` has to be for the next page; None: there is none."""
    return json_response({"items": items, "next": following})
