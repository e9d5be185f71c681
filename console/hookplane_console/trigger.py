"""The seam to whoever can send a sample event to an endpoint; implemented by the CLI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hookplane.config.endpoint import EndpointConfig
from hookplane.errors import HookplaneError


class TriggerRefused(HookplaneError):
    """No sample can be sent to this endpoint; the message says why."""


@dataclass(frozen=True, slots=True)
class TriggerResult:
    """What the endpoint answered to the sample."""

    type: str
    """Event type of the sample."""
    status_code: int
    answer: str
    """The start of the answer's body."""
    event_id: str = ""
    """The event's id, when the answer tells it."""


@dataclass(frozen=True, slots=True)
class SampleWish:
    """What a sample is to be; None: as the provider's usual one is."""

    type: str | None = None
    key: str | None = None
    """What the event is to be about, written where the endpoint's `spec.key` looks for it."""
    body: str | None = None
    """Sent in place of the sample's body."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent in place of the sample's headers of these names, or besides."""


class Trigger(Protocol):
    """Sends a sample."""

    async def __call__(self, endpoint: EndpointConfig, wish: SampleWish) -> TriggerResult:
        """Sends a signed sample of the endpoint's provider. Raises TriggerRefused."""
