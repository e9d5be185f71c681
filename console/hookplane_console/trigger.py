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


class Trigger(Protocol):
    """Sends a sample."""

    async def __call__(
        self,
        endpoint: EndpointConfig,
        type: str | None,  # noqa: A002
    ) -> TriggerResult:
        """Sends a signed sample of the endpoint's provider; `type` None: the provider's first.
        Raises TriggerRefused."""
