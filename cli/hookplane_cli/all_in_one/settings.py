"""The settings of `hookplane run`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hookplane.compile.model import Options
from hookplane.store.maintenance import Retention
from hookplane_cli.options import authority
from hookplane_receiver.ingress.server import IngressLimits
from hookplane_receiver.settings import ReceiverSettings, TlsSettings


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Built once from the command line."""

    sources: tuple[Path, ...]
    data: Path
    listen: tuple[str, int]
    tls: TlsSettings | None
    admin: tuple[str, int]
    services: Mapping[str, str]
    public_url: str | None
    trusted_proxies: tuple[str, ...]
    limits: IngressLimits
    allowed_ranges: tuple[str, ...]
    """Private address ranges that targets may live in, besides the loopback."""
    labelled_secrets: bool
    """Whether objects may only refer to Secrets that are labelled so."""
    retention: Retention
    style: str
    """How the activity is written; one of `hookplane_cli.activity.log.STYLES`."""

    def receiver(self) -> ReceiverSettings:
        """The part of them that the receiver needs."""
        return ReceiverSettings(
            listen=authority(self.listen),
            trusted_proxies=self.trusted_proxies,
            limits=self.limits,
            tls=self.tls,
        )

    def options(self) -> Options:
        """The part of them that compiling depends on."""
        return Options(
            loopback_allowed=True,
            allowed_cidrs=self.allowed_ranges,
            services=self.services,
            public_url=self.public_url,
            retention_events=self.retention.events,
            labelled_secrets=self.labelled_secrets,
            receiver_tls=self.tls is not None,
        )
