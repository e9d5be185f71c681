"""`/manifests`: what is wrong with the files that objects come from, where they come from files."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from hookplane_console.api.context import ApiRoute, Context, Routes
from hookplane_console.responses import json_response


async def show(context: Context, request: web.Request) -> web.Response:
    return json_response(context.manifests())


ROUTES: Final[Routes] = (ApiRoute("GET", "/manifests", show),)
