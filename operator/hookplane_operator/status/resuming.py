"""Resuming a disabled subscription by an annotation; pure.

Its value is a time, so that nobody has to remember what was carried out: it is about what was
disabled before it, and never about what is disabled later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hookplane.clock import Millis
from hookplane.errors import InvalidValue
from hookplane.units import format_time, parse_time

RESUME: Final = "hookplane.dev/resume"
"""Annotation of a subscription: a time, RFC 3339."""
AHEAD: Final[Millis] = 600_000
"""How far the clock of whoever writes it may be ahead of ours. A time in the future would resume
whatever is disabled until then."""
_SECOND: Final[Millis] = 1_000


def wants_resume(annotations: Mapping[str, str], disabled_at: Millis, now: Millis) -> bool:
    """`disabled_at`: 0 means that it is not disabled."""
    if not disabled_at or RESUME not in annotations or why_not(annotations, now):
        return False
    return disabled_at // _SECOND * _SECOND <= parse_time(annotations[RESUME])


def why_not(annotations: Mapping[str, str], now: Millis) -> str:
    """What is wrong with the annotation; empty: nothing, or there is none."""
    try:
        at = parse_time(annotations[RESUME]) if RESUME in annotations else now
    except InvalidValue as error:
        return f"annotation {RESUME}: {error}"
    if at > now + AHEAD:
        return f"annotation {RESUME}: {format_time(at)} is in the future; write the time as it is"
    return ""
