"""A gateway at work: its store, what is in force there, and what is waiting to be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from hookplane.applied_config import AppliedConfig
from hookplane.clock import Millis
from hookplane.compile.model import ObjectKey, Options
from hookplane.kinds.gateway import WebhookGateway
from hookplane.sealing import Sealer
from hookplane.secret import Secret
from hookplane.store.config_store import ConfigKind
from hookplane.store.postgres.driver import PostgresStore
from hookplane.units import parse_duration
from hookplane_operator.state.result import ReconcileResult

Name = tuple[str, str]
"""Namespace and name of a gateway."""


@dataclass
class GatewayRuntime:
    """Made when a gateway's store is open and ours; ended with it."""

    gateway: WebhookGateway
    dsn: Secret
    store: PostgresStore
    sealers: Mapping[ConfigKind, Sealer]
    applied: AppliedConfig
    dirty: set[ObjectKey] = field(default_factory=set)
    held: frozenset[str] = frozenset()
    """Kinds that are not compiled yet, because what they refer to could not be listed."""
    results: dict[ObjectKey, ReconcileResult] = field(default_factory=dict)
    sweep_wanted: bool = True
    swept_at: float = 0.0
    sweeps: list[tuple[float, int]] = field(default_factory=list)
    """When how many objects were removed."""
    blocked: int = 0
    """Objects that are gone and whose rows are kept until somebody confirms it."""
    replays: set[str] = field(default_factory=set)
    """Uids of the jobs that the store has."""
    drained: dict[str, frozenset[str]] = field(default_factory=dict)
    """Uid of a subscription → its endpoints that are gone and have nothing left to deliver: it may
    leave these."""
    due: dict[ObjectKey, Millis] = field(default_factory=dict)
    """When objects are to be looked at again: a key of theirs is to be rotated, or the API server
    could not be asked."""
    reopen: bool = False
    """Its database is not what it was, or for a moment we did not lead."""
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by who changes what is in force: what a round took for known must not be removed before
    it is written."""
    rounds: int = 0
    """How often something was compiled or removed."""
    news: bool = False
    """Something was just written or judged, so statuses may differ."""

    @property
    def name(self) -> Name:
        return self.gateway.metadata.namespace, self.gateway.metadata.name

    @property
    def options(self) -> Options:
        """What compiling for this gateway depends on."""
        spec = self.gateway.spec
        return Options(
            allowed_cidrs=tuple(spec.dispatcher.egress.allowed_cidrs),
            cluster_services=True,
            public_url=spec.public_url,
            retention_events=parse_duration(spec.store.retention.events),
            gateways=True,
            receiver_tls=spec.receiver.tls is not None,
        )

    def recently_swept(self, now: float, window: float) -> int:
        """How many objects were removed within the last `window` seconds."""
        self.sweeps = [(at, count) for at, count in self.sweeps if now - at < window]
        return sum(count for _, count in self.sweeps)

    @property
    def has_work(self) -> bool:
        """Something can be compiled now."""
        return any(key.kind not in self.held for key in self.dirty)

    def take_due(self, now: Millis) -> set[ObjectKey]:
        """What is to be looked at again by now."""
        taken = {key for key, due in self.due.items() if due <= now}
        for key in taken:
            del self.due[key]
        return taken

    def take_dirty(self) -> set[ObjectKey]:
        """What is to be compiled now; whoever fails puts it back."""
        taken = {key for key in self.dirty if key.kind not in self.held}
        self.dirty -= taken
        return taken
