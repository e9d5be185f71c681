"""What a gateway's store tells at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hookplane.clock import Millis
from hookplane.store.delivery_store import ReplayJob
from hookplane.store.process_registry import Member, Role
from hookplane.store.queries import EndpointStats, SubscriptionStats


@dataclass(frozen=True, slots=True)
class Observation:
    """The last that was heard; `silent` and `away` tell when that is not the present."""

    at: Millis
    away: str = ""
    """Why the store does not answer, once it has not for a while."""
    members: tuple[Member, ...] = ()
    endpoints: Mapping[str, EndpointStats] = field(default_factory=dict)
    subscriptions: Mapping[str, SubscriptionStats] = field(default_factory=dict)
    replays: Mapping[str, ReplayJob] = field(default_factory=dict)
    silent: str = ""
    """Why it did not answer just now: a gateway says so at once."""

    def ready(self, role: Role) -> list[Member]:
        """Processes with all configuration loaded."""
        return [x for x in self.members if x.role is role and x.presence.ready]
