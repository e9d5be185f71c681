"""Numbers, times and strangers' text in the form that people read on a terminal."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Final

from hookplane.clock import Millis

_DAY: Final = 86_400_000
_SPANS: Final = ((_DAY, "d"), (3_600_000, "h"), (60_000, "m"))
_SIZES: Final = ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB"))


def size(count: int) -> str:
    """1,126 → `1.1 KB`."""
    for factor, unit in _SIZES:
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def duration(millis: Millis) -> str:
    """4 → `4 ms`, 5,000 → `5 s`, 5,400,000 → `1 h 30 min`; the two largest units are enough."""
    if millis < 1000:
        return f"{millis} ms"
    if millis < 10_000:
        return f"{millis / 1000:.1f}".removesuffix(".0") + " s"
    return _coarse(round(millis / 1000))


def _coarse(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join([f"{count} {unit}" for count, unit in parts if count][:2])


def since(time: Millis, now: Millis) -> str:
    """How long ago, as `kubectl get` shows it: `2s`, `6m`, `5d`."""
    passed = max(0, now - time)
    for span, unit in _SPANS:
        if passed >= span:
            return f"{passed // span}{unit}"
    return f"{passed // 1000}s"


def clock_time(time: Millis, zone: tzinfo | None = None) -> str:
    """`12:00:01`, in local time when no zone is given."""
    return datetime.fromtimestamp(time / 1000, zone).strftime("%H:%M:%S")


def short_name(name: str) -> str:
    """`default/orders` → `orders`; names of other namespaces stay whole."""
    return name.removeprefix("default/")


def printable(text: str, limit: int = 200) -> str:
    """One line without control characters: what strangers send must not steer a terminal."""
    line = "".join(char if char.isprintable() else "�" for char in text[: limit + 1])
    return line if len(line) <= limit else line[:limit] + "…"


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 event`, `1,204 events`; `plural`: where an s does not make it."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
