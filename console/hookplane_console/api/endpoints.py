"""`/endpoints`: what receives, in numbers; and samples sent to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from hookplane.config.endpoint import EndpointConfig
from hookplane_console.api.context import ApiRoute, Context, Routes, path_key
from hookplane_console.api.parameters import (
    NAMESPACE,
    headers_of,
    key_of,
    namespace_of,
    object_of,
    text_of,
    type_of,
)
from hookplane_console.api.views import Json, endpoint_view
from hookplane_console.responses import Refusal, json_response, whole
from hookplane_console.trigger import SampleWish, TriggerRefused

MAY_NOT_SIGN: Final = (
    "this console may not sign samples, and holds no key for it. Allow it with console.trigger: "
    "true in the gateway's spec (for a process of your own: HOOKPLANE_TRIGGER=true), or send an "
    "event from the provider's own page"
)


async def show_all(context: Context, request: web.Request) -> web.Response:
    return whole(await _views(context, context.directory.endpoints(namespace_of(request.query))))


async def show(context: Context, request: web.Request) -> web.Response:
    endpoint = context.directory.endpoint(path_key(request))
    return json_response((await _views(context, [endpoint]))[0])


async def trigger(context: Context, request: web.Request) -> web.Response:
    if context.trigger is None:
        raise Refusal(403, MAY_NOT_SIGN)
    endpoint = context.directory.endpoint(path_key(request))
    body = object_of(await request.read(), frozenset({"type", "key", "body", "headers"}))
    wish = SampleWish(
        type_of(text_of(body, "type")),
        key_of(text_of(body, "key")),
        text_of(body, "body"),
        headers_of(body.get("headers"), "headers"),
    )
    if endpoint.builtin:
        raise Refusal(409, "operational events come from Hookplane itself")
    try:
        result = await context.trigger(endpoint, wish)
    except TriggerRefused as error:
        raise Refusal(409, str(error)) from error
    return json_response(
        {
            "type": result.type,
            "statusCode": result.status_code,
            "answer": result.answer,
            "eventID": result.event_id or None,
        }
    )


async def _views(context: Context, endpoints: Sequence[EndpointConfig]) -> list[Json]:
    statuses = await context.store.endpoint_stats([endpoint.uid for endpoint in endpoints])
    numbers = {status.endpoint: status for status in statuses}
    now = context.clock.now()
    return [
        endpoint_view(endpoint, numbers[endpoint.uid], context.receiver_url, now)
        for endpoint in endpoints
        if endpoint.uid in numbers
    ]


ROUTES: Final[Routes] = (
    ApiRoute("GET", "/endpoints", show_all, NAMESPACE),
    ApiRoute("GET", "/endpoints/{namespace}/{name}", show),
    ApiRoute("POST", "/endpoints/{namespace}/{name}/trigger", trigger),
)
