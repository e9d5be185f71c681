"""`/deliveries`: the events of one subscription, each with its state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from hookplane.filters.types import Interest
from hookplane.store.delivery_store import DeliveryState
from hookplane.store.queries import DeliveryRow, Listed
from hookplane_console.api.context import ApiRoute, Context, Routes
from hookplane_console.api.parameters import PAGE, name_of, page_of, required, states_of
from hookplane_console.api.views import delivery_view
from hookplane_console.responses import listing


async def show_all(context: Context, request: web.Request) -> web.Response:
    page, query = page_of(request.query), request.query
    wanted = name_of(required(query, "subscription"), "subscription")
    states = states_of(query.get("state", ""), "state")
    subscription = context.directory.subscription(wanted)
    interest = Interest(subscription.types, subscription.keys)
    found = await context.store.deliveries(page, subscription.uid, states, interest)
    failed = await _filter_failure(context, found)
    return listing(found, lambda row: delivery_view(row, context.directory.name, failed))


async def _filter_failure(context: Context, found: Listed[DeliveryRow]) -> Mapping[str, str]:
    """The event that a filter could not judge last, and why. Of those before it a subscription
    keeps the number alone."""
    filtered = [row for row in found.rows if row.state is DeliveryState.FILTERED]
    if not filtered:
        return {}
    stats = await context.store.subscription_stats([filtered[0].subscription])
    return {x.state.filter_failed_event: x.state.filter_failed_error for x in stats}


ROUTES: Final[Routes] = (
    ApiRoute("GET", "/deliveries", show_all, PAGE | {"subscription", "state"}),
)
