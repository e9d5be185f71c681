"""`/healthz`, `/readyz` and `/metrics`: what machines ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from hookplane_console.responses import json_response

Health = Callable[[], Mapping[str, bool]]
"""Part → whether it is ready."""


class Probes:
    """Answers for the process that the console lives in."""

    def __init__(self, health: Health, registry: CollectorRegistry) -> None:
        self._health = health
        self._registry = registry
        # they are one more series for each counter, which nobody reads
        disable_created_metrics()  # type: ignore[no-untyped-call]

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/readyz", self.readyz)
        app.router.add_get("/metrics", self.metrics)

    async def healthz(self, _: web.Request) -> web.Response:
        """Says only that the event loop runs."""
        return json_response({"alive": True})

    async def readyz(self, _: web.Request) -> web.Response:
        """503 until every part is ready."""
        parts = dict(self._health())
        ready = all(parts.values())
        return json_response({"ready": ready, "parts": parts}, 200 if ready else 503)

    async def metrics(self, _: web.Request) -> web.Response:
        """Rendered in a thread: thousands of series must not hold up the loop."""
        text = await asyncio.to_thread(generate_latest, self._registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})
