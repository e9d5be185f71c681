"""Answers of servers that reset the connection right behind them, while we still send."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hookplane_dispatcher.egress.client import EgressClient
from support.clocks.until import until
from support.http.egress import post
from support.http.targets import Authority, server_context

ANSWER = b"HTTP/1.1 413 X\r\nContent-Length: 4\r\n\r\nlong"
LARGE = bytes(8_000_000)
"""More than buffers hold."""


class Server:
    """One that blocks, in a thread of its own, so that the client's loop can stand still."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._context = context
        self._thread = ThreadPoolExecutor(1)
        self._connection = self._thread.submit(self._accept)
        scheme = "http" if context is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._listening.getsockname()[1]}/"

    def _accept(self) -> socket.socket:
        connection, _ = self._listening.accept()
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True)
        connection.recv(1)
        return connection

    @property
    def has_begun(self) -> bool:
        """The first byte of a request was read."""
        return self._connection.done()

    def read_some(self) -> None:
        """So much that the client may send again."""
        for _ in range(200):
            self._connection.result().recv(16_384)

    def answer_and_reset(self, first: Callable[[], object]) -> None:
        first()
        connection = self._connection.result()
        connection.sendall(ANSWER)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    def close(self) -> None:
        self._listening.close()
        self._thread.shutdown()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_they_count_though_a_write_meets_the_reset_first(
    egress: EgressClient, tmp_path: Path, secure: bool
) -> None:
    authority = Authority()
    context = server_context(authority.issue("127.0.0.1"), tmp_path) if secure else None
    server = Server(context)
    loop = asyncio.get_running_loop()
    trusting = authority.trusted()
    sending = asyncio.ensure_future(egress.post(post(server.url, body=LARGE, tls=trusting)))
    await until(lambda: server.has_begun, "the request to begin")
    for _ in range(50):  # the client fills all buffers
        await asyncio.sleep(0)
    # in one turn the loop learns of the signal and that it may write; the reset comes in between
    signal, signalled = socket.socketpair()
    with signal, signalled:
        loop.add_reader(signalled, server.answer_and_reset, lambda: loop.remove_reader(signalled))
        signal.send(b"!")
        server.read_some()
        response = await sending
    server.close()
    assert (response.status_code, response.body, response.error) == (413, b"long", None)
