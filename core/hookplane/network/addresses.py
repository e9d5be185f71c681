"""Which addresses deliveries may go to, and what a target's URL has to look like. Pure: no name is
looked up.

What counts is the address that is dialled (`AddressPolicy.permits`), never a text. URLs are checked
as well, so that users hear of a mistake early and no two programs read different hosts in one URL.
Ranges: https://www.iana.org/assignments/iana-ipv4-special-registry and its IPv6 sister.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, NamedTuple

import idna

from hookplane.errors import InvalidValue

MAX_URL_LENGTH: Final = 4096
MAX_NAME_LENGTH: Final = 253
"""RFC 1035 §2.3.4, without the final dot."""
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


def _networks(text: str) -> tuple[IPNetwork, ...]:
    return tuple(ip_network(word) for word in text.split())


_NEVER: Final = _networks(
    # This network, link-local (every cloud's metadata), multicast, broadcast.
    "0.0.0.0/8 169.254.0.0/16 224.0.0.0/4 255.255.255.255/32 "
    # Metadata and host agents outside link-local: Alibaba, Azure, Oracle.
    "100.100.100.200/32 168.63.129.16/32 192.0.0.192/32 "
    # The same in IPv6: Amazon's metadata, pod identity, time and names; Google's metadata.
    "fd00:ec2::/32 fd20:ce::254/128 "
    # Unspecified, mapped and compatible forms, NAT64: IPv4 in disguise.
    "::/8 "
    # Teredo and 6to4: the same.
    "2001::/32 2002::/16 "
    # Link-local, site-local, multicast.
    "fe80::/10 fec0::/10 ff00::/8"
)
"""Never dialled, whatever an allow-list says."""

_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})
"""Upper halves of interface identifiers that end in an IPv4 address (RFC 5214 §6.1), behind any
prefix: IPv4 in disguise as well."""

_LOOPBACK: Final = _networks("127.0.0.0/8 ::1/128")

_SPECIAL: Final = _networks(
    # Private, carrier-grade NAT.
    "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 "
    # IETF protocol assignments, 6to4 relays, benchmarking, documentation, reserved.
    "192.0.0.0/24 192.88.99.0/24 198.18.0.0/15 "
    "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 "
    # IETF protocol assignments and documentation within global unicast.
    "2001::/23 2001:db8::/32 3fff::/20"
)
"""Dialled only if an allow-list names them."""

_GLOBAL_V6: Final = IPv6Network("2000::/3")
"""All other IPv6 addresses are treated like `_SPECIAL`: ULA, discard, SRv6, unassigned."""

DENIED_PORTS: Final = {
    0: "no port",
    1: "tcpmux",
    7: "echo",
    9: "discard",
    11: "systat",
    13: "daytime",
    15: "netstat",
    17: "qotd",
    19: "chargen",
    20: "FTP",
    21: "FTP",
    22: "SSH",
    23: "Telnet",
    25: "SMTP",
    53: "DNS",
    69: "TFTP",
    110: "POP3",
    111: "portmapper",
    119: "NNTP",
    123: "NTP",
    135: "Windows RPC",
    137: "NetBIOS",
    139: "NetBIOS",
    143: "IMAP",
    161: "SNMP",
    179: "BGP",
    389: "LDAP",
    445: "SMB",
    465: "SMTP",
    512: "rexec",
    513: "rlogin",
    514: "rsh",
    515: "printers",
    587: "SMTP",
    636: "LDAP",
    993: "IMAP",
    995: "POP3",
    1433: "SQL Server",
    1521: "Oracle",
    2049: "NFS",
    2375: "the Docker API",
    2376: "the Docker API",
    2379: "etcd",
    2380: "etcd",
    3306: "MySQL",
    3389: "remote desktop",
    5432: "PostgreSQL",
    5672: "AMQP",
    6000: "X11",
    6379: "Redis",
    6443: "the Kubernetes API",
    9042: "Cassandra",
    10250: "the kubelet",
    10255: "the kubelet",
    11211: "memcached",
    27017: "MongoDB",
}
"""Ports of services that take no webhooks; no POST may reach them, by accident or on purpose."""

_METADATA_NAMES: Final = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data"}
)

_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?P<host>\[[^\]/?]*\]?[^:/?]*|[^:/?]*)(:(?P<port>[^/?]*))?"
    r"(?P<path>.*)"
)
_PLACE: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:(?P<port>[0-9]{1,5}))?")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_EXAMPLE: Final = "write it like https://example.com/hooks"


class OwnPlace(NamedTuple):
    """Where something of Hookplane's own listens, such as its database."""

    host: str
    """An address, or a name in lower case without final dot."""
    port: int = 0
    """0: every port."""


class AddressNotAllowed(InvalidValue):
    """A URL names an address, or a name that stands for one, that may not be dialled."""


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Which addresses may be dialled: public ones always, others only as the fields say."""

    loopback: bool = False
    """Whether this machine itself may be dialled, for `hookplane run`."""
    allowed: tuple[str, ...] = ()
    """CIDRs. They open private ranges, never loopback, link-local or metadata addresses."""
    own: frozenset[OwnPlace] = frozenset()
    """Never dialled, whatever `allowed` says."""
    _networks: tuple[IPNetwork, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises InvalidValue when one of `allowed` is not a CIDR."""
        object.__setattr__(self, "_networks", tuple(map(parse_range, self.allowed)))

    def permits(self, ip: str | IPAddress, services: Collection[str] = ()) -> bool:
        """Whether this address may be dialled; False for text that is not an address. `services`:
        private addresses that may be besides, as `str(ip_address(…))` has them."""
        try:
            address = ip_address(ip)
        except ValueError:
            return False
        if _in(address, _LOOPBACK):
            return self.loopback
        if _in(address, _NEVER) or _is_isatap(address) or getattr(address, "scope_id", None):
            return False
        return _is_public(address) or str(address) in services or _in(address, self._networks)

    def is_own(self, host: str, port: int) -> bool:
        """Whether this is one of `own`; `host` is written as it is there."""
        return (host, port) in self.own or (host, 0) in self.own


@dataclass(frozen=True, slots=True)
class ParsedTarget:
    """A URL in the one form that all programs read alike."""

    scheme: str
    host: str
    """Lower case, ASCII, without final dot; IPv6 without brackets."""
    port: int
    path: str
    """Path and query as written, at least `/`."""


def parse_range(text: str) -> IPNetwork:
    """A CIDR. Raises InvalidValue with the form that would be right."""
    try:
        return ip_network(text)
    except ValueError:
        raise InvalidValue(f'"{text}" is not an address range; write it like 10.0.0.0/8') from None


def parse_place(text: str) -> OwnPlace:
    """HOST or HOST:PORT, IPv6 in brackets. Raises InvalidValue."""
    match = _PLACE.fullmatch(text.strip())
    if match is None or int(match["port"] or 0) > 65535:
        raise InvalidValue(f'"{text}" is not HOST or HOST:PORT, such as db.example.com:6432')
    host = match["host"].lower().removesuffix(".").strip("[]")
    with suppress(ValueError):
        host = str(ip_address(host))
    return OwnPlace(host, int(match["port"] or 0))


def check_url(text: str, policy: AddressPolicy | None = None) -> ParsedTarget:
    """Reads a target's URL. Raises InvalidValue saying what would be right (AddressNotAllowed when
    it is well-formed but leads where the policy permits nothing).

    The message never holds more of the URL than scheme, host and port, because a path may be a
    secret. Without a policy only public addresses are fine.
    """
    match = _URL.fullmatch(_check_characters(text))
    if match is None:
        raise InvalidValue(f"the URL has no scheme and host; {_EXAMPLE}")
    scheme, path = match["scheme"].lower(), match["path"]
    if scheme not in DEFAULT_PORTS:
        raise InvalidValue(f'the scheme "{scheme}" is not http or https; {_EXAMPLE}')
    if "@" in text[: match.start("path")]:
        raise InvalidValue("the URL has a user or password in it; use spec.target.authentication")
    if not path.isascii():
        raise InvalidValue("path and query must be ASCII; write other characters as %XX")
    port = DEFAULT_PORTS[scheme] if match["port"] is None else _check_port(match["port"])
    policy = policy or AddressPolicy()
    host = _check_host(match["host"], policy)
    if policy.is_own(host, port):
        raise AddressNotAllowed(not_others(host, port))
    return ParsedTarget(scheme, host, port, path if path.startswith("/") else "/" + path)


def not_others(host: str, port: int) -> str:
    """Why nothing is sent to a place of our own."""
    return f"{host} at port {port} is no target: it is Hookplane's own, or the cluster's"


def not_public(address: IPAddress | str) -> str:
    """Why an address is refused, and what would let it through."""
    return (
        f"{address} is not a public address, and its range is not allowed: see "
        "dispatcher.egress.allowedCIDRs of the gateway, or --allow-cidr"
    )


def _is_isatap(address: IPAddress) -> bool:
    return address.version == 6 and (int(address) >> 32) & 0xFFFFFFFF in _ISATAP


def _in(address: IPAddress, networks: tuple[IPNetwork, ...]) -> bool:
    return any(address in network for network in networks)


def _is_public(address: IPAddress) -> bool:
    if address.version == 6 and address not in _GLOBAL_V6:
        return False
    return not _in(address, _SPECIAL)


def _check_characters(text: str) -> str:
    if len(text) > MAX_URL_LENGTH:
        raise InvalidValue(f"the URL is longer than {MAX_URL_LENGTH} characters")
    if "\\" in text:
        raise InvalidValue("the URL has a backslash in it; use /")
    if "#" in text:
        raise InvalidValue("the URL has a fragment (#…), which is never sent; leave it away")
    if any(char == " " or not char.isprintable() for char in text):
        raise InvalidValue("the URL has white space or a control character in it")
    return text


def _check_port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65535):
        raise InvalidValue("the port is not a number from 1 to 65535")
    port = int(text)
    if port in DENIED_PORTS:
        raise InvalidValue(f"port {port} is for {DENIED_PORTS[port]}, not for webhooks")
    return port


def _check_host(host: str, policy: AddressPolicy) -> str:
    if host.startswith("["):
        return _check_literal(_ipv6(host), policy)
    name = _canonical_name(host)
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        return _check_literal(_ipv4(name, host), policy)
    _check_name(name, policy)
    return name


def _ipv6(host: str) -> IPAddress:
    try:
        if not host.endswith("]") or "%" in host:
            raise ValueError
        return IPv6Address(host[1:-1])
    except ValueError:
        raise InvalidValue(
            f'"{host}" is not an IPv6 address; write it like [2001:db8::1], without a zone'
        ) from None


def _ipv4(name: str, host: str) -> IPAddress:
    """Only the form that all programs read alike: some take 127.1 or 0x7f000001 for an address."""
    try:
        if name != host:
            raise ValueError
        return IPv4Address(name)
    except ValueError:
        raise InvalidValue(
            f'"{host}" looks like an IPv4 address but is not written like 192.0.2.1'
        ) from None


def _check_literal(address: IPAddress, policy: AddressPolicy) -> str:
    if not policy.permits(address):
        raise AddressNotAllowed(not_public(address))
    return str(address)


def _canonical_name(host: str) -> str:
    """Lower-case ASCII without the final dot (UTS 46 and IDNA 2008 for the rest of the world)."""
    name = host.lower() if host.isascii() else _from_unicode(host)
    name = name.removesuffix(".")
    if len(name) > MAX_NAME_LENGTH or not all(map(_LABEL.fullmatch, name.split("."))):
        raise InvalidValue(f'"{host[:MAX_NAME_LENGTH]}" is not a host name; {_EXAMPLE}')
    return name


def _from_unicode(host: str) -> str:
    try:
        return idna.encode(host, uts46=True, std3_rules=True).decode()
    except UnicodeError:
        raise InvalidValue(f'"{host[:MAX_NAME_LENGTH]}" is not a host name; {_EXAMPLE}') from None


def _check_name(name: str, policy: AddressPolicy) -> None:
    if name in _METADATA_NAMES:
        raise AddressNotAllowed(f'"{name}" is a cloud\'s metadata service')
    if name.rpartition(".")[2] == "localhost" and not policy.loopback:
        raise AddressNotAllowed(f'"{name}" is this machine, which is not allowed here')
