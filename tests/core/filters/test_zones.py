"""Time zones are names of zones, and nobody who sends an event chooses one."""

from __future__ import annotations

import pytest

from hookplane.errors import InvalidValue
from hookplane.filters.cel import Program, check_expression

TIME = "timestamp(event.receivedTime)"


@pytest.mark.parametrize(
    "zone", ["'Europe/Berlin'", "'UTC'", "'America/Argentina/Buenos_Aires'", "'+02:00'", "'02:30'"]
)
def test_what_is_written_out_is_one(zone: str) -> None:
    check_expression(f"{TIME}.getHours({zone}) >= 8", expect_bool=True)


@pytest.mark.parametrize(
    "zone",
    [
        "event.body.tz",
        "'/proc/self/fd/5'",
        "'../etc/passwd'",
        "'file:/dev/stdin'",
        "'Europe/' + 'Berlin'",
        "string(event.body)",
        "b'UTC' == b'' ? 'UTC' : 'Europe/Berlin'",
    ],
)
@pytest.mark.parametrize("function", ["getHours", "getDate", "getDayOfYear", "getMilliseconds"])
def test_everything_else_is_refused(zone: str, function: str) -> None:
    text = f"true ||\n {TIME}.{function}({zone}) == 1"
    with pytest.raises(InvalidValue, match=f"line 2, column .*the time zone of {function}"):
        Program(text)


def test_one_in_a_loop_is_refused() -> None:
    with pytest.raises(InvalidValue, match="time zone"):
        Program(f"event.body.all(x, {TIME}.getHours(x) == 1)")


def test_without_one_it_is_the_hour_of_utc() -> None:
    check_expression(f"{TIME}.getHours() >= 8", expect_bool=True)
