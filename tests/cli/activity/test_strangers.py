"""Lines about requests that anybody may send."""

from __future__ import annotations

import io
import json
from datetime import UTC

from hookplane_cli.activity.lines import JsonLines, TextLines
from hookplane_cli.activity.log import LineActivityLog
from hookplane_cli.activity.strangers import LINES, PERIOD_SECONDS, SHOWN_CHARACTERS, Strangers
from support.clocks.manual import ManualClock

NOON = 1_795_521_601_000
PATHS = ("/default/orders", "/default/github")


def test_a_path_that_is_near_one_is_told() -> None:
    stream = io.StringIO()
    lines = TextLines(colour=False, zone=UTC)
    activity = LineActivityLog(lines, stream, ManualClock(NOON), Strangers())
    activity.unrouted("/default/order", "127.0.0.1", PATHS)
    activity.unrouted("/hooks", "127.0.0.1", PATHS)
    activity.unrouted("/hooks", "127.0.0.1", ())
    activity.close()
    assert stream.getvalue().splitlines() == [
        '12:00:01 unrouted   /default/order   no endpoint is there; did you mean "/default/orders"?'
        "   from 127.0.0.1",
        "12:00:01 unrouted   /hooks   no endpoint is there; there is: /default/github, "
        "/default/orders   from 127.0.0.1",
        "12:00:01 unrouted   /hooks   no endpoint is there; there is: none   from 127.0.0.1",
    ]


def test_strangers_do_not_fill_the_log() -> None:
    stream, clock = io.StringIO(), ManualClock(NOON)
    activity = LineActivityLog(JsonLines(), stream, clock, Strangers())
    for _ in range(1000):
        activity.unrouted("/x" * 5000, "192.0.2.7", PATHS)
    clock.advance(PERIOD_SECONDS * 1000)
    activity.unrouted("/y", "192.0.2.7", PATHS)
    activity.close()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["unrouted"] * (LINES + 1)
    assert len(lines[0]["path"]) == SHOWN_CHARACTERS
    assert [line["leftOut"] for line in lines] == [0] * LINES + [1000 - LINES]


def test_a_process_among_many_writes_no_such_line() -> None:
    stream = io.StringIO()
    activity = LineActivityLog(JsonLines(), stream, ManualClock(NOON))
    activity.unrouted("/default/order", "127.0.0.1", PATHS)
    activity.close()
    assert stream.getvalue() == ""
