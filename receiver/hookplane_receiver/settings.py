"""How a receiver is set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hookplane_receiver.ingress.server import IngressLimits


@dataclass(frozen=True, slots=True)
class QuotaSettings:
    """What one namespace may use; None: as much as it likes."""

    stored_bytes: int | None = None
    """Bytes of stored bodies."""
    events_per_second: int | None = None
    """Of all receivers together."""
    gateway: str = ""
    """`namespace/name` of the gateway that says so, for messages; empty: there is none."""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """A second port, with TLS that ends here."""

    listen: str
    certificate: Path
    """PEM: its certificate, then those that vouch for it. Read again when it changes."""
    key: Path


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """Where it listens, whom it believes about addresses, and what a connection may do."""

    listen: str = "127.0.0.1:8080"
    trusted_proxies: tuple[str, ...] = ()
    """Address ranges of proxies whose X-Forwarded-For is believed."""
    limits: IngressLimits = field(default_factory=IngressLimits)
    quotas: QuotaSettings = QuotaSettings()
    tls: TlsSettings | None = None
