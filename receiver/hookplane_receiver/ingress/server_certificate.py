"""The certificate that is shown, from files that somebody renews."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from OpenSSL import SSL

from hookplane.errors import InvalidValue
from hookplane.network.certificates import check_server_pair
from hookplane.reporting.activity import ActivityLog
from hookplane.secret import Secret
from hookplane_receiver.ingress.tls import context

LOOK_SECONDS: Final = 5.0
"""How often the files are read again. They are small, and a mounted Secret is swapped by links that
no watch follows."""


class ServerCertificate:
    """One certificate in force. New connections get the newest; those that are open stay."""

    def __init__(
        self,
        certificate: Path,
        key: Path,
        asks: Callable[[], bool],
        activity: ActivityLog,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """`asks`: whether clients are to be asked for certificates of theirs."""
        self._files = (certificate, key)
        self._asks = asks
        self._activity = activity
        self._look_seconds = look_seconds
        self.ends_at = 0
        """Unix seconds: from then on clients refuse the certificate in force."""
        self._seen: tuple[Secret, Secret] | None = None
        self._contexts: dict[bool, SSL.Context] = {}
        self._refusal = ""

    def load(self) -> None:
        """Takes in what the files hold. Raises InvalidValue and OSError, and then what was in force
        stays."""
        found = self._read()
        if found == self._seen:
            return
        try:
            pair = check_server_pair(*found)
            self._contexts = {ask: context(pair, ask=ask) for ask in (False, True)}
        except InvalidValue as error:
            raise InvalidValue(f"{self._files[0]}: {error}") from error
        self._seen, self._refusal = found, ""
        end = pair.chain[0].not_valid_after_utc
        self.ends_at = int(end.timestamp())
        message = f"new connections get the one that ends {end:%Y-%m-%dT%H:%M:%SZ}"
        self._note("CertificateLoaded", message)

    def current(self) -> SSL.Context:
        """For a new connection."""
        return self._contexts[self._asks()]

    async def follow(self) -> None:
        """Reads the files again until cancelled; a pair that is no good is told once and changes
        nothing."""
        while True:
            await asyncio.sleep(self._look_seconds)
            try:
                self.load()
            except (InvalidValue, OSError) as error:
                self._note_refusal(str(error))

    def _read(self) -> tuple[Secret, Secret]:
        certificate, key = self._files
        return Secret(certificate.read_bytes()), Secret(key.read_bytes())

    def _note_refusal(self, refusal: str) -> None:
        """Once, however often the same files are read."""
        if refusal != self._refusal:
            self._refusal = refusal
            self._note("CertificateRefused", f"{refusal}; the former one stays in force")

    def _note(self, reason: str, message: str) -> None:
        self._activity.noted("receiver", reason, message)
