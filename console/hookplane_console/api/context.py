"""What every handler has at hand, and how it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiohttp import web

from hookplane.clock import Clock
from hookplane.store.protocol import Store
from hookplane_console.directory import Directory, Key
from hookplane_console.query import name_of
from hookplane_console.trigger import Trigger

MAX_BODY_BYTES: Final = 64 * 1024
"""Bodies of requests."""


@dataclass(frozen=True, slots=True)
class Context:
    """The console's parts."""

    store: Store
    directory: Directory
    clock: Clock
    receiver_url: str
    trigger: Trigger


Handler = Callable[[Context, web.Request], Awaitable[web.Response]]
Routes = tuple[tuple[str, str, Handler], ...]
"""Method, path, handler."""


def answer(data: Any, status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps(data) + b"\n", content_type="application/json"
    )


def listing(items: list[dict[str, Any]], following: str | None = None) -> web.Response:
    """`following`: what `before` has to be for the next page; None: there is none."""
    return answer({"items": items, "next": following})


def path_key(request: web.Request) -> Key:
    """{namespace} and {name} of a path."""
    return name_of(f"{request.match_info['namespace']}/{request.match_info['name']}", "name")
