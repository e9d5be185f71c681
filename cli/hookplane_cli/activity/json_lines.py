"""Lines for machines: one JSON object each, ids in full, names and units as in docs/spec/cli.md."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import orjson

from hookplane.clock import Millis
from hookplane_cli.activity.note import Note, Summary

_NAMES: Final = {
    "event_id": "eventID",
    "status_code": "statusCode",
    "duration": "milliseconds",
    "next_in": "nextInMilliseconds",
}


class JsonLines:
    """Renders notes as JSON objects; `at` is UTC with milliseconds, `event` what happened."""

    def note(self, note: Note) -> str:
        facts = {_NAMES.get(name, name): value for name, value in note.facts.items()}
        return _line(note.at, note.verb, facts)

    def summary(self, summary: Summary) -> str:
        return _line(summary.at, "summary", {str(verb): n for verb, n in summary.counts.items()})

    def lost(self, count: int) -> str:
        return orjson.dumps({"event": "lost", "lines": count}).decode()


def _line(at: Millis, event: str, facts: dict[str, Any]) -> str:
    time = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    head = {"at": time.replace("+00:00", "Z"), "event": event}
    return orjson.dumps(head | facts, default=str).decode()
