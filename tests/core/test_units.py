from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookplane.errors import InvalidValue
from hookplane.units import (
    format_duration,
    format_size,
    format_time,
    parse_duration,
    parse_size,
    parse_time,
)


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("0s", 0),
        ("5s", 5_000),
        ("250ms", 250),
        ("1h30m", 5_400_000),
        ("2160h", 7_776_000_000),
    ],
)
def test_durations(text: str, millis: int) -> None:
    assert parse_duration(text) == millis


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",  # no unit
        "half an hour",
        "-5s",
        "1.5h",  # GEP-2257 has no fractions
        "1d",
        "5s ",
        "123456s",  # five digits at most
        "٥s",  # digits of another script
    ],
)
def test_what_is_not_a_duration_says_what_would_be(text: str) -> None:
    with pytest.raises(InvalidValue, match="write it like 30m or 1h30m"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=99_999 * 3_600_000))
def test_durations_round_trip(millis: int) -> None:
    assert parse_duration(format_duration(millis)) == millis


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), ("256Ki", 262_144), ("1Mi", 1 << 20), ("10Gi", 10 << 30)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("size", "text"),
    [(1, "1"), (1000, "1000"), (1536, "1536"), (10 << 30, "10Gi"), (3 << 42, "12Ti")],
)
def test_sizes_as_users_would_write_them(size: int, text: str) -> None:
    assert format_size(size) == text
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "1KB", "1.5Mi", "Ki", "1M"])
def test_what_is_not_a_size(text: str) -> None:
    with pytest.raises(InvalidValue, match="write it like 256Ki or 1Mi"):
        parse_size(text)


def test_times() -> None:
    assert parse_time("2026-11-21T00:00:00Z") == 1_795_219_200_000
    assert parse_time("2026-11-21T01:00:00+01:00") == parse_time("2026-11-21T00:00:00Z")
    assert parse_time("2026-11-21t00:00:00z") == 1_795_219_200_000
    assert format_time(1_795_219_200_999) == "2026-11-21T00:00:00Z"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-21", "2026-11-21T00:00:00"])
def test_a_time_without_offset_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="2026-11-21T00:00:00Z"):
        parse_time(text)
