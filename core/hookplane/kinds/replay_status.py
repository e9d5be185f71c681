"""Status of a WebhookReplay."""

from __future__ import annotations

from typing import Literal

from hookplane.kinds.base import Time
from hookplane.kinds.status import Count, Status


class ReplayStatus(Status):
    """How far a replay is."""

    state: Literal["Pending", "Running", "Complete", "Cancelled"] | None = None
    """Pending: the subscription is not there yet. Cancelled: the subscription went away."""
    matched: Count | None = None
    """Events that were found."""
    delivered: Count | None = None
    """Of those: delivered by this job."""
    failed: Count | None = None
    """Of those: failed; they go on by the subscription's own schedule, or are dead again."""
    start_time: Time | None = None
    """When it began."""
    completion_time: Time | None = None
    """When it was complete or cancelled."""
