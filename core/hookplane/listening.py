"""Listening at all addresses of a machine, of both address families."""

from __future__ import annotations

import socket
from typing import Final

EVERYWHERE: Final = "::"


def listen_everywhere(port: int, backlog: int = 128) -> socket.socket:
    """A socket that takes IPv6 and IPv4 on one port, or IPv4 alone on a machine that has no IPv6.
    asyncio by itself takes IPv6 alone at `::`. A peer of IPv4 is shown as `::ffff:192.0.2.1`, see
    `plain_address`. Raises OSError when the port is taken."""
    if not socket.has_dualstack_ipv6():
        return socket.create_server(("0.0.0.0", port), backlog=backlog)  # noqa: S104 - asked for
    return socket.create_server(
        (EVERYWHERE, port), family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=True
    )


def plain_address(text: str) -> str:
    """An address as people write it: without the prefix of IPv4 in IPv6 (RFC 4291, 2.5.5.2)."""
    rest = text.removeprefix("::ffff:")
    return rest if "." in rest else text
