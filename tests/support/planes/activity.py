"""An activity log that tests can read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from hookplane.clock import Millis
from hookplane.reporting.activity import ActivityLog


@dataclass
class RecordingActivityLog(ActivityLog):
    """Remembers what it was told, without times and sizes."""

    receipts: list[tuple[str, str, str, bool]] = field(default_factory=list)
    conflicts: int = 0
    rejections: list[tuple[str, str, str, str]] = field(default_factory=list)
    unrouted_paths: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    delivered_lines: list[tuple[str, str, int, int]] = field(default_factory=list)
    failed_lines: list[tuple[str, str, str, int, int, Millis | None]] = field(default_factory=list)
    notes: list[tuple[str, str, str]] = field(default_factory=list)
    stopped: int = 0
    """How many of those that failed were told to wait for a resume."""

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
        self.receipts.append((endpoint, event_id, type, duplicate))
        self.conflicts += conflict

    def rejected(self, endpoint: str, reason: str, detail: str, source: str) -> None:
        self.rejections.append((endpoint, reason, detail, source))

    def unrouted(self, path: str, source: str, paths: Collection[str]) -> None:
        self.unrouted_paths.append((path, source, tuple(paths)))

    def delivered(
        self, subscription: str, event_id: str, status_code: int, duration: Millis, attempt: int
    ) -> None:
        self.delivered_lines.append((subscription, event_id, status_code, attempt))

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
        self.failed_lines.append((subscription, event_id, outcome, attempt, attempts, next_in))
        self.stopped += stopped

    def noted(self, subject: str, reason: str, message: str) -> None:
        self.notes.append((subject, reason, message))
