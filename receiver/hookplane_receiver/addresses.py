"""Where a request comes from, when proxies stand in between."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_HOPS: Final = 20
"""So many entries of X-Forwarded-For are looked at, from the right."""

_WITH_PORT: Final = re.compile(r"\[([0-9A-Fa-f:.%]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+")


def networks(ranges: Iterable[str]) -> tuple[Network, ...]:
    """Parses address ranges. Raises ValueError."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in ranges)


def contains(ranges: Sequence[Network], text: str) -> bool:
    """Whether an address, as text, is in any of the ranges; what is no address is in none."""
    address = _address(text)
    return address is not None and any(address in network for network in ranges)


def client_address(
    peer: str, headers: Sequence[tuple[str, str]], trusted: Sequence[Network]
) -> str:
    """The nearest address that is not a trusted proxy's.

    X-Forwarded-For is read from the right, and only behind a trusted peer: everything left of an
    untrusted address was written by a stranger.
    """
    if not trusted or not contains(trusted, peer):
        return peer
    values = [value for name, value in headers if name == "x-forwarded-for"]
    hops = [
        _without_port(hop.strip()) for hop in ",".join(values).rsplit(",", MAX_HOPS)[-MAX_HOPS:]
    ]
    nearest = peer
    for hop in reversed(hops):
        if not hop:
            break
        nearest = hop
        if not contains(trusted, hop):
            break
    return nearest


@lru_cache(maxsize=4096)
def network_of(text: str) -> str:
    """Whose addresses are taken for one sender's: an IPv4 address, or the /64 of an IPv6 one, since
    whoever has one of those has all of it. What is no address stays as it is."""
    address = _address(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return text if address is None else str(address)


def source_of(peer: str, trusted: Sequence[Network]) -> str:
    """With whom the connections from an address are counted; empty: with all trusted proxies."""
    return "" if contains(trusted, peer) else network_of(peer)


def _without_port(hop: str) -> str:
    """Some proxies write `address:port` and `[address]:port`."""
    found = _WITH_PORT.fullmatch(hop)
    return hop if found is None else found[1] or found[2]


@lru_cache(maxsize=4096)
def _address(text: str) -> Address | None:
    """IPv4 addresses mapped into IPv6 are what they stand for; zones are dropped."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
