"""`/subscriptions`: what delivers, in numbers; and the way out of a disabled state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from hookplane.config.subscription import SubscriptionConfig
from hookplane_console.api.context import ApiRoute, Context, Routes, path_key
from hookplane_console.api.parameters import NAMESPACE, namespace_of, object_of
from hookplane_console.api.views import Json, subscription_view
from hookplane_console.responses import Refusal, json_response, whole


async def show_all(context: Context, request: web.Request) -> web.Response:
    found = context.directory.subscriptions(namespace_of(request.query))
    return whole(await _views(context, found))


async def show(context: Context, request: web.Request) -> web.Response:
    subscription = context.directory.subscription(path_key(request))
    return json_response((await _views(context, [subscription]))[0])


async def resume(context: Context, request: web.Request) -> web.Response:
    subscription = context.directory.subscription(path_key(request))
    object_of(await request.read(), frozenset())
    if subscription.suspended:
        raise Refusal(409, "its manifest says suspend: true; set it to false to resume it")
    views = await _views(context, [subscription])
    await context.store.request_resume(subscription.uid)
    answer = {"namespace": subscription.namespace, "name": subscription.name}
    return json_response({**answer, "state": views[0]["state"] if views else None}, 202)


async def _views(context: Context, subscriptions: Sequence[SubscriptionConfig]) -> list[Json]:
    uids = [subscription.uid for subscription in subscriptions]
    numbers = {x.subscription: x for x in await context.store.subscription_stats(uids)}
    now, name = context.clock.now(), context.directory.name
    return [
        subscription_view(subscription, numbers[subscription.uid], name, now)
        for subscription in subscriptions
        if subscription.uid in numbers
    ]


ROUTES: Final[Routes] = (
    ApiRoute("GET", "/subscriptions", show_all, NAMESPACE),
    ApiRoute("GET", "/subscriptions/{namespace}/{name}", show),
    ApiRoute("POST", "/subscriptions/{namespace}/{name}/resume", resume),
)
