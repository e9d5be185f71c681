"""A subscriber in a pod: keeps what arrives, answers as it is told, and shows both.

POST /anything                    an arrival
GET  /-/behave?status=503         from now on the answer is this
GET  /-/arrivals?after=N&most=M   what came after the Nth, with headers and body
GET  /-/ids                       {webhook-id: how often it was answered 2xx}
"""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict

from aiohttp import web

MOST = 200_000
"""Arrivals that are kept; more end the pod, since what is not kept would look lost."""
SHOWN = ("webhook-id", "webhook-timestamp", "webhook-signature", "hookplane-replay", "content-type")


class Subscriber:
    def __init__(self) -> None:
        self.status = 200
        self.arrivals: list[dict[str, object]] = []
        self.events: defaultdict[str, Counter[str]] = defaultdict(Counter)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name: request.headers[name] for name in SHOWN if name in request.headers}
        if len(self.arrivals) >= MOST:
            raise SystemExit("more arrivals than are kept")
        self.arrivals.append(
            {
                "path": request.path,
                "status": self.status,
                "headers": headers,
                "body": base64.b64encode(body).decode(),
            }
        )
        if self.status < 300:
            self.events[_number(body)][headers.get("webhook-id", "")] += 1
        return web.Response(status=self.status)

    async def behave(self, request: web.Request) -> web.Response:
        self.status = int(request.query["status"])
        return web.json_response({"status": self.status})

    async def show(self, request: web.Request) -> web.Response:
        after = int(request.query.get("after", "0"))
        most = int(request.query.get("most", "1000"))
        return web.json_response(self.arrivals[after : after + most])

    async def show_events(self, _: web.Request) -> web.Response:
        return web.json_response(self.events)


def _number(body: bytes) -> str:
    """What the sender in another pod calls the event; empty: it is not from there."""
    try:
        return str(json.loads(body)["data"]["number"])
    except (ValueError, KeyError, TypeError):
        return ""


def main() -> None:
    subscriber = Subscriber()
    app = web.Application(client_max_size=1 << 24)
    app.router.add_get("/-/behave", subscriber.behave)
    app.router.add_get("/-/arrivals", subscriber.show)
    app.router.add_get("/-/events", subscriber.show_events)
    app.router.add_post("/{path:.*}", subscriber.take)
    web.run_app(app, port=8080, access_log=None, print=None)


if __name__ == "__main__":
    main()
