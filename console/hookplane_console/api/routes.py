"""All routes of the admin API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from hookplane_console.api import (
    attempts,
    deliveries,
    endpoints,
    events,
    manifests,
    replays,
    subscriptions,
)
from hookplane_console.api.context import ApiRoute, Context, Routes
from hookplane_console.api.parameters import check_known
from hookplane_console.responses import json_response

PREFIX: Final = "/api/v1"

ROUTES: Final[Routes] = (
    *endpoints.ROUTES,
    *subscriptions.ROUTES,
    *events.ROUTES,
    *deliveries.ROUTES,
    *attempts.ROUTES,
    *replays.ROUTES,
    *manifests.ROUTES,
)


def add_routes(app: web.Application, context: Context) -> None:
    for route in ROUTES:
        app.router.add_route(route.method, PREFIX + route.path, _bound(context, route))
    app.router.add_get("/", _index)


def _bound(
    context: Context, route: ApiRoute
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        check_known(request.query, route.parameters)
        return await route.handler(context, request)

    return serve


async def _index(_: web.Request) -> web.Response:
    paths = sorted({PREFIX + route.path for route in ROUTES})
    return json_response(
        {"name": "hookplane", "paths": ["/healthz", "/readyz", "/metrics", *paths]}
    )
