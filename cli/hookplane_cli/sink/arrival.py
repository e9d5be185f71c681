"""A delivery as the sink saw it, and its line."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

import orjson

from hookplane.clock import Millis
from hookplane_cli.human import clock_time, printable, size
from hookplane_cli.sink.check import Signature

MAX_PARSED_BYTES: Final = 1 << 20
"""The type is looked for in bodies up to this."""
_GAP: Final = "   "


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request to the sink."""

    at: Millis
    path: str
    webhook_id: str
    type: str
    """Member `type` of a JSON body; empty: none."""
    size: int
    signature: Signature
    attempt: int
    """How often this webhook-id has come."""
    replay: bool
    status: int
    """The answer."""


def text_line(arrival: Arrival, zone: tzinfo | None = None) -> str:
    """The line for people."""
    fields = (
        arrival.path,
        arrival.webhook_id,
        arrival.type,
        size(arrival.size),
        f"signature {arrival.signature}",
        f"attempt {arrival.attempt}{' (replay)' if arrival.replay else ''}",
        f"answered {arrival.status}",
    )
    shown = _GAP.join(printable(field, limit=80) for field in fields if field)
    return f"{clock_time(arrival.at, zone)} {'sink':<9}  {shown}"


def json_line(arrival: Arrival) -> str:
    """The line for machines."""
    facts = asdict(arrival)
    time = datetime.fromtimestamp(facts.pop("at") / 1000, UTC).isoformat(timespec="milliseconds")
    webhook_id = facts.pop("webhook_id")
    head = {"at": time.replace("+00:00", "Z"), "webhookID": webhook_id}
    return orjson.dumps(head | facts).decode()


def type_of(body: bytes) -> str:
    """The member `type`; empty when the body is not a JSON object with such a text."""
    if len(body) > MAX_PARSED_BYTES:
        return ""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    found = data.get("type") if isinstance(data, dict) else None
    return found if isinstance(found, str) else ""
