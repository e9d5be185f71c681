"""`/attempts`: every try, of one event, of one subscription, or of all."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from hookplane_console.api.context import ApiRoute, Context, Routes
from hookplane_console.api.parameters import (
    NAMESPACE,
    PAGE,
    PLACE_OF_ATTEMPTS,
    event_id_of,
    name_of,
    namespace_of,
    only_one,
    page_of,
)
from hookplane_console.api.views import attempt_view
from hookplane_console.responses import listing


async def show_all(context: Context, request: web.Request) -> web.Response:
    page, query = page_of(request.query, PLACE_OF_ATTEMPTS), request.query
    only_one(query, "subscription", "namespace")
    event, wanted = query.get("event"), query.get("subscription")
    subscription = wanted and context.directory.subscription(name_of(wanted, "subscription")).uid
    event_id = event and event_id_of(event, "event")
    among = context.directory.subscription_uids(namespace_of(query))
    found = await context.store.attempts(page, subscription, event_id, among)
    return listing(found, lambda row: attempt_view(row, context.directory.name))


_KNOWN: Final = PAGE | NAMESPACE | {"event", "subscription"}

ROUTES: Final[Routes] = (ApiRoute("GET", "/attempts", show_all, _KNOWN),)
