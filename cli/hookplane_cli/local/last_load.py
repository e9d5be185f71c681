"""What the last load of the manifests found, for those who ask later."""

from __future__ import annotations

from typing import Any

from hookplane.clock import Clock, Millis
from hookplane.units import format_time
from hookplane_cli.local.reload import Loaded


class LastLoad:
    """Told of each load, and of what kept one from its end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loaded: Loaded | None = None
        self._time: Millis = 0
        self._fault = ""

    def loaded(self, loaded: Loaded) -> None:
        self._loaded, self._time, self._fault = loaded, self._clock.now(), ""

    def fault(self, message: str) -> None:
        """Manifests are not read, or not watched, now."""
        self._fault = message

    def view(self) -> dict[str, Any]:
        """As the admin API shows it."""
        report = self._loaded and self._loaded.report
        return {
            "loadedTime": format_time(self._time) if report else None,
            "problems": [str(x) for x in report.problems] if report else [],
            "notes": [str(x) for x in report.notes] if report else [],
            "fault": self._fault,
        }
