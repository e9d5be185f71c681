"""The annotation by which somebody confirms deletions: `namespace=number@day`, commas between.

It names the day because it stays on the gateway: without one, the word of last year would let go
what vanishes today.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final, Self

from hookplane.clock import Millis
from hookplane_operator.config.deletion_guard import FEW
from hookplane_operator.kube.names import CONFIRM_ALL

FORM: Final = "NAMESPACE=NUMBER@DAY, such as shop=37@2026-11-30"
_ENTRY: Final = re.compile(
    rf"(?P<name>{CONFIRM_ALL}|[a-z0-9][-a-z0-9]{{0,62}})=(?P<count>[0-9]{{1,9}})@(?P<day>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})"
)
_SHOWN: Final = 60
"""Characters of what cannot be understood that are shown."""


@dataclass(frozen=True, slots=True)
class Confirmations:
    """What holds now, and why the rest of it does not."""

    counts: Mapping[str, int] = field(default_factory=dict)
    """Namespace → how many deletions are meant."""
    objection: str = ""
    """Empty: all of it holds."""

    @classmethod
    def parse(cls, text: str, now: Millis) -> Self:
        """What stands in the annotation; empty: nothing. A confirmation holds on its day, the next,
        and the one before, since clocks and time zones differ."""
        today = datetime.fromtimestamp(now / 1000, UTC).date()
        counts: dict[str, int] = {}
        objections: list[str] = []
        for entry in filter(None, (x.strip() for x in text.split(","))):
            found = _ENTRY.fullmatch(entry)
            if objection := _objection(found, today):
                objections.append(f'"{_shown(entry)}" {objection}')
            elif found is not None:
                counts[found["name"]] = int(found["count"])
        return cls(counts, objections[0] if objections else "")

    def allow(self, name: str, count: int) -> bool:
        """Whether so many of a namespace, or of all together (`CONFIRM_ALL`), were meant: as many
        as were confirmed, and as many more as would go without a word."""
        return name in self.counts and count <= self.counts[name] + FEW


def _objection(found: re.Match[str] | None, today: date) -> str:
    if found is None:
        return f"is not {FORM}"
    try:
        day = date.fromisoformat(found["day"])
    except ValueError:
        return "names a day that is none"
    if abs(day - today) > timedelta(days=1):
        return f"is of another day; today is {today}"
    return ""


def _shown(entry: str) -> str:
    printable = "".join(x if x.isprintable() else "?" for x in entry[:_SHOWN])
    return printable + ("…" if len(entry) > _SHOWN else "")
