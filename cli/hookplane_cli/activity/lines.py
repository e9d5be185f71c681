"""How what happened becomes a line: text for people, JSON for machines.

The JSON has one object a line, ids in full, names and units as in docs/spec/cli.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, Protocol

import orjson

from hookplane.clock import Millis
from hookplane_cli import human
from hookplane_cli.activity.note import Note, Summary, Verb

_VERB_WIDTH: Final = max(map(len, Verb))
_GAP: Final = "   "
_COLOURS: Final = {
    Verb.RECEIVED: "36",
    Verb.DELIVERED: "32",
    Verb.REJECTED: "33",
    Verb.UNROUTED: "33",
    Verb.FAILED: "31",
    Verb.NOTED: "35",
}
"""ANSI colours (ECMA-48 SGR) of the verbs."""


_JSON_NAMES: Final = {
    "event_id": "eventID",
    "status_code": "statusCode",
    "duration": "milliseconds",
    "next_in": "nextInMilliseconds",
    "left_out": "leftOut",
}


class Lines(Protocol):
    """One way to write down what happened: a line for each note, without its end."""

    def note(self, note: Note) -> str: ...

    def summary(self, summary: Summary) -> str: ...

    def lost(self, count: int) -> str:
        """`count` lines were dropped, because they are read too slowly."""


class TextLines:
    """Renders notes as `12:00:01 received   orders   order.created   evt_01jdb3q9k2…   …`."""

    def __init__(self, colour: bool, zone: tzinfo | None = None) -> None:
        self._colour = colour
        self._zone = zone

    def note(self, note: Note) -> str:
        columns = _COLUMNS[note.verb](note.facts)
        verb = self._paint(note.verb, f"{note.verb:<{_VERB_WIDTH}}")
        fields = _GAP.join(human.printable(column) for column in columns if column)
        return f"{human.clock_time(note.at, self._zone)} {verb}  {fields}"

    def summary(self, summary: Summary) -> str:
        told = ", ".join(f"{count:,} {verb}" for verb, count in summary.counts.items())
        time = human.clock_time(summary.at, self._zone)
        return f"{time} {'and':<{_VERB_WIDTH}}  {told} in the last second"

    def lost(self, count: int) -> str:
        return f"({human.counted(count, 'line')} left out: they are read too slowly)"

    def _paint(self, verb: Verb, text: str) -> str:
        return f"\x1b[{_COLOURS[verb]}m{text}\x1b[0m" if self._colour else text


class JsonLines:
    """Renders notes as JSON objects; `at` is UTC with milliseconds, `event` what happened."""

    def note(self, note: Note) -> str:
        facts = {_JSON_NAMES.get(name, name): value for name, value in note.facts.items()}
        return _json_line(note.at, note.verb, facts)

    def summary(self, summary: Summary) -> str:
        return _json_line(
            summary.at, "summary", {str(verb): n for verb, n in summary.counts.items()}
        )

    def lost(self, count: int) -> str:
        return orjson.dumps({"event": "lost", "lines": count}).decode()


def _json_line(at: Millis, event: str, facts: dict[str, Any]) -> str:
    time = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    head = {"at": time.replace("+00:00", "Z"), "event": event}
    return orjson.dumps(head | facts, default=str).decode()


Facts = Mapping[str, Any]


def _received(facts: Facts) -> list[str]:
    stored = f"stored in {human.duration(facts['duration'])}"
    fate = "seen before" if facts["duplicate"] else stored
    conflict = ", its key with another body" if facts["conflict"] else ""
    return [
        human.short_name(facts["endpoint"]),
        facts["type"],
        facts["event_id"],
        human.size(facts["size"]),
        f"verified, {fate}{conflict}",
    ]


def _rejected(facts: Facts) -> list[str]:
    return [
        human.short_name(facts["endpoint"]),
        facts["detail"] or facts["reason"],
        facts["source"] and f"from {facts['source']}",
    ]


def _unrouted(facts: Facts) -> list[str]:
    others = facts["left_out"]
    more = f", and {human.counted(others, 'more request')} since the last such line"
    return [
        facts["path"],
        f"no endpoint is there; {facts['hint']}",
        f"from {facts['source']}" + (more if others else ""),
    ]


def _delivered(facts: Facts) -> list[str]:
    again = f", attempt {facts['attempt']}" if facts["attempt"] > 1 else ""
    return [
        human.short_name(facts["subscription"]),
        facts["event_id"],
        f"{facts['status_code']} in {human.duration(facts['duration'])}{again}",
    ]


def _failed(facts: Facts) -> list[str]:
    which = f"attempt {facts['attempt']} of {facts['attempts']}" if facts["attempt"] else "probe"
    pause = facts["next_in"]
    then = _last(facts) if pause is None else f"next in {human.duration(pause)}"
    if facts["stopped"] and pause is not None:
        then = "next when it is resumed"
    return [
        human.short_name(facts["subscription"]),
        facts["event_id"],
        facts["outcome"],
        f"{which}, {then}",
    ]


def _last(facts: Facts) -> str:
    """One that ends before its last attempt had to wait for others too long."""
    is_early = 0 < facts["attempt"] < facts["attempts"]
    why = ": the time of its schedule passed while the circuit was open or sending stood still"
    return "no further one" + (why if is_early else "")


def _noted(facts: Facts) -> list[str]:
    return [human.short_name(facts["subject"]), facts["reason"], facts["message"]]


_COLUMNS: Final[dict[Verb, Callable[[Facts], list[str]]]] = {
    Verb.RECEIVED: _received,
    Verb.REJECTED: _rejected,
    Verb.UNROUTED: _unrouted,
    Verb.DELIVERED: _delivered,
    Verb.FAILED: _failed,
    Verb.NOTED: _noted,
}
