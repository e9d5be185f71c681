"""How a process reaches a store that it shares with others."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from hookplane.secret import Secret


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
