"""TCP connections of this machine, as its kernel knows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

TABLE: Final = Path("/proc/net/tcp")
ESTABLISHED: Final = "01"


@dataclass(frozen=True)
class OpenSocket:
    """One end of an IPv4 connection that nobody has begun to end."""

    port: int
    peer_port: int
    unread: int
    """Bytes."""


def open_sockets() -> list[OpenSocket]:
    """Both ends of those within this machine. Source: proc_net_tcp(5)."""
    rows = [line.split() for line in TABLE.read_text().splitlines()[1:]]
    return [
        OpenSocket(_after_colon(local), _after_colon(peer), _after_colon(queues))
        for _, local, peer, state, queues, *_ in rows
        if state == ESTABLISHED
    ]


def _after_colon(hexadecimal: str) -> int:
    return int(hexadecimal.partition(":")[2], 16)
