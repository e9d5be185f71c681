"""Lines that people and machines read while webhooks flow."""

from __future__ import annotations

import io
import json
import threading
from datetime import UTC

import pytest

from hookplane.errors import InvalidValue
from hookplane.reporting.activity import ActivityLog
from hookplane_cli.activity.lines import JsonLines, Lines, TextLines
from hookplane_cli.activity.log import LineActivityLog, open_activity_log
from hookplane_cli.activity.writer import CAPACITY
from support.clocks.manual import ManualClock

NOON = 1_795_521_601_000
"""2026-11-24T12:00:01Z."""
ID = "evt_01jdb3q9k2ffffffffffffffff"


def tell(activity: ActivityLog) -> None:
    """One of everything."""
    activity.received("default/orders", ID, "order.created", 1126, 2, duplicate=False)
    activity.delivered("default/orders-to-shop", ID, 200, 4, 1)
    activity.rejected("default/github", "SignatureMismatch", "does not match", "127.0.0.1")
    activity.failed("default/orders-to-shop", ID, "503 Service Unavailable", 1, 10, 5000)
    activity.delivered("default/orders-to-shop", ID, 200, 3, 2)
    activity.received("chat/bot", ID, "message", 17, 1, duplicate=True)
    activity.rejected("chat/bot", "TooLarge", "", "")
    activity.failed("chat/crm", ID, "no route to host", 10, 10, None)
    activity.failed("chat/crm", ID, "410 Gone", 0, 10, 90_000)
    activity.noted("chat/crm", "CircuitOpen", "10 failures in a row; next probe in 30 s")


def told(lines: Lines, clock: ManualClock | None = None) -> str:
    stream = io.StringIO()
    activity = LineActivityLog(lines, stream, clock or ManualClock(NOON))
    tell(activity)
    activity.close()
    return stream.getvalue()


def test_text() -> None:
    assert told(TextLines(colour=False, zone=UTC)).splitlines() == [
        f"12:00:01 received   orders   order.created   {ID}   1.1 KB   verified, stored in 2 ms",
        f"12:00:01 delivered  orders-to-shop   {ID}   200 in 4 ms",
        "12:00:01 rejected   github   does not match   from 127.0.0.1",
        f"12:00:01 failed     orders-to-shop   {ID}   503 Service Unavailable   "
        "attempt 1 of 10, next in 5 s",
        f"12:00:01 delivered  orders-to-shop   {ID}   200 in 3 ms, attempt 2",
        f"12:00:01 received   chat/bot   message   {ID}   17 B   verified, seen before",
        "12:00:01 rejected   chat/bot   TooLarge",
        f"12:00:01 failed     chat/crm   {ID}   no route to host   "
        "attempt 10 of 10, no further one",
        f"12:00:01 failed     chat/crm   {ID}   410 Gone   probe, next in 1 min 30 s",
        "12:00:01 noted      chat/crm   CircuitOpen   10 failures in a row; next probe in 30 s",
    ]


def test_one_that_ends_before_its_last_attempt_says_why() -> None:
    stream = io.StringIO()
    activity = LineActivityLog(TextLines(colour=False, zone=UTC), stream, ManualClock(NOON))
    activity.failed("default/shop", ID, "503 Service Unavailable", 1, 4, None)
    activity.close()
    assert "attempt 1 of 4, no further one: the time of its schedule passed" in stream.getvalue()


@pytest.mark.parametrize(
    ("next_in", "words"), [(0, "next when it is resumed"), (None, "no further one")]
)
def test_of_one_that_is_disabled_no_time_is_told(next_in: int | None, words: str) -> None:
    stream = io.StringIO()
    activity = LineActivityLog(TextLines(colour=False, zone=UTC), stream, ManualClock(NOON))
    activity.failed("default/shop", ID, "410 Gone", 4, 4, next_in, stopped=True)
    activity.close()
    assert stream.getvalue().endswith(f"410 Gone   attempt 4 of 4, {words}\n")


@pytest.mark.parametrize(("duplicate", "words"), [(False, "stored in 2 ms"), (True, "seen before")])
def test_another_body_under_a_known_key_is_told(duplicate: bool, words: str) -> None:
    stream = io.StringIO()
    activity = LineActivityLog(TextLines(colour=False, zone=UTC), stream, ManualClock(NOON))
    activity.received("default/orders", ID, "x", 1, 2, duplicate=duplicate, conflict=True)
    activity.close()
    assert stream.getvalue().endswith(f"verified, {words}, its key with another body\n")


def test_json() -> None:
    lines = [json.loads(line) for line in told(JsonLines()).splitlines()]
    assert lines[0] == {
        "at": "2026-11-24T12:00:01.000Z",
        "event": "received",
        "endpoint": "default/orders",
        "eventID": ID,
        "type": "order.created",
        "size": 1126,
        "milliseconds": 2,
        "duplicate": False,
        "conflict": False,
    }
    assert lines[3] == {
        "at": "2026-11-24T12:00:01.000Z",
        "event": "failed",
        "subscription": "default/orders-to-shop",
        "eventID": ID,
        "outcome": "503 Service Unavailable",
        "attempt": 1,
        "attempts": 10,
        "nextInMilliseconds": 5000,
        "stopped": False,
    }
    assert [line["event"] for line in lines[5:]] == [
        "received",
        "rejected",
        "failed",
        "failed",
        "noted",
    ]


def test_what_strangers_send_steers_no_terminal() -> None:
    stream = io.StringIO()
    activity = open_activity_log("text", stream, colour=False, clock=ManualClock(NOON))
    activity.received("default/x", ID, "\x1b[2Jgone\nfake line", 1, 1, duplicate=False)
    activity.close()
    assert "\x1b" not in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_colour_is_asked_for() -> None:
    assert "\x1b[32mdelivered\x1b[0m" in told(TextLines(colour=True))


def test_a_busy_second_becomes_numbers() -> None:
    stream, clock = io.StringIO(), ManualClock(NOON)
    activity = LineActivityLog(TextLines(colour=False, zone=UTC), stream, clock)
    for _ in range(1000):
        activity.received("default/orders", ID, "x", 1, 1, duplicate=False)
        activity.delivered("default/shop", ID, 200, 1, 1)
    activity.failed("default/shop", ID, "503", 1, 10, 5000)  # is not drowned
    clock.advance(1000)
    activity.received("default/orders", ID, "x", 1, 1, duplicate=False)
    clock.advance(1000)
    activity.received("default/orders", ID, "x", 1, 1, duplicate=False)
    activity.close()
    lines = stream.getvalue().splitlines()
    assert [line.split()[1] for line in lines[:51]] == ["received", "delivered"] * 25 + ["failed"]
    assert lines[51] == "12:00:02 and        975 received, 975 delivered in the last second"
    # the second after a busy one counts as well, until one was quiet
    assert lines[52] == "12:00:03 and        1 received in the last second"
    assert lines[53].startswith("12:00:03 received   orders")
    assert len(lines) == 54


def test_a_quiet_time_after_a_busy_second_ends_the_numbers() -> None:
    stream, clock = io.StringIO(), ManualClock(NOON)
    activity = LineActivityLog(JsonLines(), stream, clock)
    for _ in range(60):
        activity.noted("default/x", "Reason", "")
    clock.advance(5000)
    activity.noted("default/x", "Reason", "late")
    activity.close()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines[50]["event"] == "summary"
    assert lines[50]["noted"] == 10
    assert lines[51]["message"] == "late"


def test_the_last_second_is_told_at_the_end() -> None:
    stream = io.StringIO()
    activity = LineActivityLog(JsonLines(), stream, ManualClock(NOON))
    for _ in range(60):
        activity.noted("default/x", "Reason", "")
    activity.close()
    assert json.loads(stream.getvalue().splitlines()[-1])["noted"] == 10


class StalledStream(io.StringIO):
    """Takes nothing until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.stalled = threading.Event()
        self.released = threading.Event()

    def write(self, text: str) -> int:
        self.stalled.set()
        self.released.wait(30)
        return super().write(text)


def test_a_stalled_terminal_holds_up_nobody_and_what_is_lost_is_told() -> None:
    stream, clock = StalledStream(), ManualClock(NOON)
    activity = LineActivityLog(JsonLines(), stream, clock)
    activity.noted("default/x", "First", "")
    assert stream.stalled.wait(30)
    for _ in range(CAPACITY + 7):
        clock.advance(2000)  # each in a quiet second of its own
        activity.noted("default/x", "More", "")
    stream.released.set()
    activity.close()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(lines) == 1 + CAPACITY + 1
    assert lines[-1] == {"event": "lost", "lines": 7}


class ClosedStream(io.StringIO):
    """A pipe whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_reader_that_has_gone_ends_nothing() -> None:
    activity = LineActivityLog(JsonLines(), ClosedStream(), ManualClock(NOON))
    for _ in range(10):
        activity.noted("default/x", "Reason", "")
    activity.close()


def test_a_stream_that_knows_no_unicode_gets_question_marks() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    activity = open_activity_log("text", stream, clock=ManualClock(NOON))
    activity.delivered("default/läden", ID, 200, 1, 1)
    activity.close()
    assert b"l?den" in raw.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_only_on_a_terminal_and_without_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert painted(Terminal())
    assert not painted(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not painted(Terminal())


def painted(stream: io.StringIO) -> bool:
    activity = open_activity_log("text", stream)
    activity.noted("default/x", "Reason", "")
    activity.close()
    return "\x1b[" in stream.getvalue()


def test_quiet_is_quiet() -> None:
    stream = io.StringIO()
    activity = open_activity_log("quiet", stream)
    tell(activity)
    activity.close()
    assert stream.getvalue() == ""


def test_other_styles_are_refused() -> None:
    with pytest.raises(InvalidValue, match="text, json, quiet"):
        open_activity_log("loud", io.StringIO())
