"""The form of every answer, and a request that is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from aiohttp import web

from hookplane.store.queries import Listed

T = TypeVar("T")


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


def whole(items: list[dict[str, Any]]) -> web.Response:
    """A listing that has one page."""
    return json_response({"items": items, "next": None})


def listing(found: Listed[T], view: Callable[[T], dict[str, Any]]) -> web.Response:
    """A page of a listing, and what it looked at."""
    items = [view(row) for row in found.rows]
    return json_response({"items": items, "next": found.following, "lookedAt": found.looked_at})
