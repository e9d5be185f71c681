"""A target for WSGI servers; by itself it runs on wsgiref, which answers in HTTP/1.0. It speaks the
paths of tests/support/servers."""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from wsgiref.simple_server import make_server

Environ = dict[str, Any]
Start = Callable[[str, list[tuple[str, str]]], object]


def application(environ: Environ, start: Start) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/early":  # before anything of the body is read
        start("401 Unauthorized", [("Content-Length", "0")])
        return []
    length = len(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
    if path == "/reset":
        _reset(environ["gunicorn.socket"])
    return _ANSWERS.get(path, _plain)(environ, start, length)


def _plain(environ: Environ, start: Start, length: int) -> Iterable[bytes]:
    if "HTTP_WEBHOOK_ID" in environ:
        with Path(os.environ["RECORD"]).open("a") as record:
            record.write(f"{environ['HTTP_WEBHOOK_ID']} 200\n")
    port = environ.get("REMOTE_PORT", "0")
    text = json.dumps({"port": int(port), "length": length}).encode()
    start("200 OK", [("Content-Length", str(len(text)))])
    return [text]


def _empty(status: str, *headers: tuple[str, str]) -> Callable[..., Iterable[bytes]]:
    def answer(environ: Environ, start: Start, length: int) -> Iterable[bytes]:
        start(status, list(headers))
        return []

    return answer


def _large(environ: Environ, start: Start, length: int) -> Iterable[bytes]:
    start("200 OK", [("Content-Length", str(1 << 20))])
    return [b"x" * (1 << 20)]


def _chunked(environ: Environ, start: Start, length: int) -> Iterable[bytes]:
    start("200 OK", [])
    return iter([b"one ", b"two"])


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


_ANSWERS = {
    "/204": _empty("204 No Content"),
    "/304": _empty("304 Not Modified"),
    "/304-length": _empty("304 Not Modified", ("Content-Length", "1234")),
    "/large": _large,
    "/chunked": _chunked,
}

if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), application).serve_forever()
