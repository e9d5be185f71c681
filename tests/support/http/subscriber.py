"""A subscriber in a thread, so that a test may wait for kubectl while it is delivered to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Arrival:
    """A request as it came."""

    at: float
    path: str
    headers: dict[str, str]
    body: bytes
    status: int


@dataclass
class Target:
    """Answers everything with `status`."""

    url: str
    status: int = 200
    arrivals: list[Arrival] = field(default_factory=list)

    def taken(self, path: str = "") -> list[Arrival]:
        """What was answered 2xx."""
        return [x for x in self.arrivals if x.status < 300 and x.path.startswith(path)]


@contextmanager
def target(address: str) -> Iterator[Target]:
    made = Target("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            names = {name.lower(): value for name, value in self.headers.items()}
            status = made.status
            made.arrivals.append(Arrival(time.monotonic(), self.path, names, body, status))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing: what came is in `arrivals`."""

    server = ThreadingHTTPServer((address, 0), Handler)
    server.daemon_threads = True
    made.url = f"http://{address}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
