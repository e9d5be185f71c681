"""How a process reaches a store that it shares with others."""

from __future__ import annotations

import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote

from hookplane.errors import InvalidValue
from hookplane.network.addresses import OwnPlace, parse_place
from hookplane.secret import Secret

_DEFAULT_PORT: Final = "5432"


def places_of(dsn: Secret) -> tuple[OwnPlace, ...]:
    """Hosts and ports of a DSN, which may name several of each (libpq §34.1.1.2)."""
    _, _, text = dsn.reveal().decode("utf-8", "replace").partition("://")
    authority, query = re.split("[/?#]", text, maxsplit=1)[0], parse_qs(text.partition("?")[2])
    found = [x for x in authority.rpartition("@")[2].split(",") if x]
    ports = query.get("port", [_DEFAULT_PORT])[0].split(",")
    for name in ("host", "hostaddr"):
        hosts = [unquote(x) for text in query.get(name, ()) for x in text.split(",")]
        found += [f"[{x}]" if ":" in x else x for x in hosts if x and not x.startswith("/")]
    places = []
    for text in found:
        with suppress(InvalidValue):  # the driver says what is wrong with it
            place = parse_place(unquote(text))
            more = [place.port] if place.port else [int(x) for x in ports if x.isdecimal()]
            places += [OwnPlace(place.host, port) for port in more]
    return tuple(places)


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """Where the database is and who we are there.

    The password file is read again for every new connection, so it may be replaced while the
    process runs.
    """

    dsn: Secret
    """A URL whose scheme says which driver it is for (`hookplane.store.drivers`). PostgreSQL takes
    one of libpq, `postgresql://user@host:5432/database?sslmode=verify-full`; several hosts may be
    named, of which the primary is taken."""
    password_file: Path | None = None
    """Takes the place of a password in the DSN."""
    tls_ca_file: Path | None = None
    """Whom to believe; the server's name is checked as well."""
    tls_certificate_file: Path | None = None
    """Our own certificate, for `cert` authentication."""
    tls_key_file: Path | None = None
    application: str = "hookplane"
    """The name that the database shows for our connections."""

    def places(self) -> tuple[OwnPlace, ...]:
        """Where the database listens, as far as the DSN says so; files of sockets do not count."""
        return places_of(self.dsn)

    async def read_password(self) -> str:
        """Without the line end that editors leave. Raises OSError."""
        assert self.password_file is not None  # noqa: S101 - for the type checker
        return self.password_file.read_text("utf-8").rstrip("\r\n")

    def tls_context(self) -> ssl.SSLContext | None:
        """None: what the DSN's `sslmode` says counts. Raises OSError for files that are not
        there, ssl.SSLError for such that are no certificates."""
        if self.tls_ca_file is None and self.tls_certificate_file is None:
            return None
        context = ssl.create_default_context(cafile=self.tls_ca_file)
        if self.tls_certificate_file is not None:
            context.load_cert_chain(self.tls_certificate_file, self.tls_key_file)
        return context
