"""Durations (GEP-2257), sizes (Kubernetes quantities) and times (RFC 3339) as users write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from hookplane.clock import Millis
from hookplane.errors import InvalidValue

DURATION_PATTERN: Final = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"
"""https://gateway-api.sigs.k8s.io/geps/gep-2257/"""
SIZE_PATTERN: Final = r"^[1-9][0-9]{0,11}(Ki|Mi|Gi|Ti)?$"

_UNIT_MILLIS: Final = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_DURATION: Final = re.compile(DURATION_PATTERN)
_DURATION_PART: Final = re.compile(r"([0-9]+)(ms|h|m|s)")
_SIZE: Final = re.compile(SIZE_PATTERN)
_SIZE_FACTOR: Final = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}


def parse_duration(text: str) -> Millis:
    """`1h30m` → 5,400,000. Raises InvalidValue with the form that would be right."""
    if text.isdecimal():
        raise InvalidValue(f'"{text}" has no unit, such as s or ms; write it like 30m or 1h30m')
    if not _DURATION.fullmatch(text):
        raise InvalidValue(f'"{text}" is not a duration; write it like 30m or 1h30m')
    return sum(int(n) * _UNIT_MILLIS[unit] for n, unit in _DURATION_PART.findall(text))


def format_duration(millis: Millis) -> str:
    """5,400,000 → `1h30m`."""
    parts = []
    for unit, size in _UNIT_MILLIS.items():
        count, millis = divmod(millis, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_size(text: str) -> int:
    """`256Ki` → 262,144 bytes. Raises InvalidValue with the form that would be right."""
    if not _SIZE.fullmatch(text):
        raise InvalidValue(f'"{text}" is not a size; write it like 256Ki or 1Mi')
    digits = text.rstrip("KMGTi")
    return int(digits) * _SIZE_FACTOR[text[len(digits) :]]


def format_size(size: int) -> str:
    """262,144 → `256Ki`; what `parse_size` reads as the same."""
    units = [unit for unit, factor in _SIZE_FACTOR.items() if size % factor == 0]
    return f"{size // _SIZE_FACTOR[units[-1]]}{units[-1]}"


def parse_time(text: str) -> Millis:
    """RFC 3339 with an offset → milliseconds since the epoch. Raises InvalidValue."""
    try:
        parsed = datetime.fromisoformat(text.upper())
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise InvalidValue(f'"{text}" is not a time; write it like 2026-11-21T00:00:00Z')
    return int(parsed.timestamp() * 1000)


def format_time(millis: Millis) -> str:
    """Milliseconds since the epoch → RFC 3339 in UTC with whole seconds."""
    time = datetime.fromtimestamp(millis // 1000, UTC).replace(tzinfo=None)
    return time.isoformat() + "Z"
