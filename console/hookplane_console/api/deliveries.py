"""`/deliveries`: the events of one subscription, each with its state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from hookplane.filters.types import Interest
from hookplane.store.delivery_store import DeliveryState, EventKey
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
    first = await _first_of_keys(context, subscription.uid, found) if subscription.by_key else {}
    name = context.directory.name
    return listing(found, lambda row: delivery_view(row, name, failed, first.get(_key(row), "")))


async def _first_of_keys(
    context: Context, subscription: str, found: Listed[DeliveryRow]
) -> Mapping[EventKey, str]:
    """Of each key of what is pending the first event that is not done."""
    keys = {_key(row) for row in found.rows if row.state is DeliveryState.PENDING}
    wanted = [key for key in keys if key[1]]
    rows = await context.store.first_rows(subscription, wanted) if wanted else ()
    return {(row.endpoint, row.event_key): row.event_id for row in rows}


def _key(row: DeliveryRow) -> EventKey:
    return (row.entry.endpoint, row.entry.key)


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
