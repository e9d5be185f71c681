"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC

import pytest

from hookplane_cli import human

DAY = 86_400_000


@pytest.mark.parametrize(
    ("millis", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1 s"),
        (1550, "1.6 s"),
        (5000, "5 s"),
        (59_400, "59 s"),
        (59_600, "1 min"),
        (90_000, "1 min 30 s"),
        (5_400_000, "1 h 30 min"),
        (5_401_000, "1 h 30 min"),
        (2 * DAY + 3_600_000, "2 d 1 h"),
    ],
)
def test_duration(millis: int, text: str) -> None:
    assert human.duration(millis) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1126, "1.1 KB"), (3 << 20, "3.0 MB")]
)
def test_size(count: int, text: str) -> None:
    assert human.size(count) == text


@pytest.mark.parametrize(
    ("passed", "text"),
    [(-5, "0s"), (2000, "2s"), (360_000, "6m"), (3 * 3_600_000, "3h"), (12 * DAY, "12d")],
)
def test_since(passed: int, text: str) -> None:
    assert human.since(10 * DAY, 10 * DAY + passed) == text


def test_the_rest() -> None:
    assert human.clock_time(43_201_000, UTC) == "12:00:01"
    assert human.short_name("default/a") == "a"
    assert human.short_name("chat/a") == "chat/a"
    assert human.printable("a\tb\x1b[0m\u202ec") == "a�b�[0m�c"
    assert human.printable("x" * 300, limit=5) == "xxxxx…"
    assert human.counted(1, "event") == "1 event"
    assert human.counted(1204, "event") == "1,204 events"
