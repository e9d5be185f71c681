"""Ports for processes that tests start: none is given out twice, and none is ever the near end of
somebody's connection, as those are that the kernel picks."""

from __future__ import annotations

import fcntl
import itertools
import os
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

FIRST: Final = 10_000
BLOCK: Final = 1_000
"""Ports of one test process; there are several at a time."""
BLOCKS: Final = 20


def free_port() -> int:
    """A port that nobody listens at. The next 999 calls give others."""
    for _ in range(BLOCK):
        port = next(_ports())
        if _is_free(port):
            return port
    raise AssertionError("all ports of this process are taken")


@cache
def _ports() -> Iterator[int]:
    """Those of a block that is ours as long as this process lives."""
    first = FIRST + BLOCK * _own_block()
    return itertools.cycle(range(first, first + BLOCK))


def _own_block() -> int:
    for block in range(BLOCKS):
        path = Path(tempfile.gettempdir()) / f"hookplane-ports.{os.getuid()}.{block}.lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return block
    raise AssertionError("too many test processes at a time")


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False
