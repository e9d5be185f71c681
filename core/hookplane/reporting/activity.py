"""The activity log: one call for each thing that happened while webhooks flow.

Names of objects are `namespace/name`; whoever writes the line may shorten them. No argument ever
holds a secret or a payload.
"""

from __future__ import annotations

from collections.abc import Collection

from hookplane.clock import Millis


class ActivityLog:
    """Is told what happened, and does nothing with it: a log overrides what it writes. Calls are
    made in the event loop and must return at once."""

    def received(
        self,
        endpoint: str,
        event_id: str,
        type: str,  # noqa: A002
        size: int,
        duration: Millis,
        *,
        duplicate: bool,
        conflict: bool = False,
    ) -> None:
        """A request was verified and stored, or recognised as a duplicate. `conflict`: its key came
        before with another body."""

    def rejected(self, endpoint: str, reason: str, detail: str, source: str) -> None:
        """A request was not accepted; `reason` is a RejectReason, `source` an address."""

    def unrouted(self, path: str, source: str, paths: Collection[str]) -> None:
        """A POST to a path that no endpoint has; `paths`: those that there are. Anybody may cause
        these, as often as they like."""

    def delivered(
        self, subscription: str, event_id: str, status_code: int, duration: Millis, attempt: int
    ) -> None:
        """A target answered 2xx."""

    def failed(
        self,
        subscription: str,
        event_id: str,
        outcome: str,
        attempt: int,
        attempts: int,
        next_in: Millis | None,
        *,
        stopped: bool = False,
    ) -> None:
        """An attempt failed; `next_in` None: there is no further one. Attempt 0 is a probe.
        `stopped`: the subscription is disabled, so whatever comes next waits for its resume."""

    def noted(self, subject: str, reason: str, message: str) -> None:
        """Something changed: a circuit opened, a subscription was disabled, config was refused."""
