"""Times of the admin API for people."""

from __future__ import annotations

from hookplane.clock import Millis
from hookplane.units import parse_time
from hookplane_cli.human import since


def ago(time: str | None, now: Millis) -> str | None:
    """`2026-11-23T12:00:11Z` → `6m`; None stays None."""
    return None if time is None else since(parse_time(time), now)
