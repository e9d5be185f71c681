"""`/events`: what was received."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from hookplane.store.event_log import Content, LogEntry
from hookplane.store.queries import Sought
from hookplane_console.api.context import ApiRoute, Context, Routes
from hookplane_console.api.parameters import (
    NAMESPACE,
    PAGE,
    event_id_of,
    key_of,
    name_of,
    namespace_of,
    only_one,
    page_of,
    type_of,
)
from hookplane_console.api.views import event_detail_view, event_view
from hookplane_console.responses import json_response, listing


async def show_all(context: Context, request: web.Request) -> web.Response:
    page, query = page_of(request.query), request.query
    only_one(query, "endpoint", "namespace")
    wanted = query.get("endpoint")
    endpoint = wanted and context.directory.endpoint(name_of(wanted, "endpoint")).uid
    among = context.directory.endpoint_uids(namespace_of(query))
    sought = Sought(type_of(query.get("type")), key_of(query.get("key")), among)
    found = await context.store.events(page, endpoint, sought)
    return listing(found, lambda row: event_view(row.entry, context.directory.name))


async def show(context: Context, request: web.Request) -> web.Response:
    entry, content = await _find(context, request)
    return json_response(event_detail_view(entry, content, context.directory.name))


async def body(context: Context, request: web.Request) -> web.Response:
    """The bytes as received; never as something that a browser would render."""
    entry, content = await _find(context, request)
    headers = {"Content-Disposition": f'attachment; filename="{entry.event_id}"'}
    return web.Response(body=content.body, content_type="application/octet-stream", headers=headers)


async def _find(context: Context, request: web.Request) -> tuple[LogEntry, Content]:
    return await context.store.find_event(event_id_of(request.match_info["id"], "id"))


ROUTES: Final[Routes] = (
    ApiRoute("GET", "/events", show_all, PAGE | NAMESPACE | {"endpoint", "type", "key"}),
    ApiRoute("GET", "/events/{id}", show),
    ApiRoute("GET", "/events/{id}/body", body),
)
