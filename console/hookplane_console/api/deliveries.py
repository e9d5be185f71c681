"""`/deliveries`: the events of one subscription, each with its state."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from hookplane_console.api.context import ApiRoute, Context, Routes
from hookplane_console.api.parameters import PAGE, name_of, page_of, required, states_of
from hookplane_console.api.views import delivery_view
from hookplane_console.responses import listing


async def show_all(context: Context, request: web.Request) -> web.Response:
    page, query = page_of(request.query), request.query
    wanted = name_of(required(query, "subscription"), "subscription")
    states = states_of(query.get("state", ""), "state")
    subscription = context.directory.subscription(wanted)
    found = await context.store.deliveries(page, subscription.uid, states)
    return listing(found, lambda row: delivery_view(row, context.directory.name))


ROUTES: Final[Routes] = (
    ApiRoute("GET", "/deliveries", show_all, PAGE | {"subscription", "state"}),
)
