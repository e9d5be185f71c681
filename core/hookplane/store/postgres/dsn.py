"""DSNs of PostgreSQL, looked at before a library reads them: one that takes a part of a password
for a port or a database would name it in its complaint."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from hookplane.errors import InvalidValue
from hookplane.secret import Secret

_HOST: Final = r"(?:[A-Za-z0-9._~%-]*|\[[0-9A-Za-z:.%]+\])(?::[0-9]{1,5})?"
_DSN: Final = re.compile(
    r"postgres(?:ql)?://"
    r"(?:[^/?#\[\]\x00-\x1f]*@)?"
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)"
    r"(?:/[^/?#@\x00-\x1f]*)?"
    r"(?:\?(?P<query>[^#@\x00-\x1f]*))?"
)
"""Behind the host there is no "@", so that one in front of which a password goes on, whatever
character it has been cut at, is none of these."""
_PORT: Final = re.compile(r"(?:^[^/:\[]*|\]):([^:\]]*)$")
"""Behind a host; neither in a path nor in an IPv6 address."""
_PORTS: Final = range(1, 1 << 16)
_WRONG: Final = (
    "it is not of the form postgresql://user:password@host:5432/database?name=value; in a user "
    "name, password or value write / as %2F, ? as %3F, # as %23, @ as %40, [ as %5B and ] as %5D; "
    "a password has @host behind it, and a port is a number from 1 to 65535"
)


def readable_dsn(dsn: Secret) -> str:
    """The text for the driver. Raises InvalidValue, whose message has nothing of it."""
    try:
        text = dsn.reveal().decode().strip()
        urlsplit(text)
    except ValueError:
        raise InvalidValue(f"the DSN cannot be read: {_WRONG}") from None
    found = _DSN.fullmatch(text)
    if found is None or not all(map(_is_port, _ports(found["hosts"], found["query"] or ""))):
        raise InvalidValue(f"the DSN cannot be read: {_WRONG}")
    return text


def _ports(hosts: str, query: str) -> Iterator[str]:
    """All that the driver will take for numbers of ports."""
    values = parse_qsl(query, keep_blank_values=True)
    for value in (hosts, *(value for name, value in values if name == "host")):
        yield from (port[1] for host in value.split(",") if (port := _PORT.search(host)))
    for name, value in values:
        if name == "port":
            yield from value.split(",")


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) in _PORTS
