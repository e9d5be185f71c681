"""How logs are read."""

from __future__ import annotations

from pathlib import Path

from support.chaos.vigil import MINUTE, MOST_LINES, Log, cause_of


def test_names_and_numbers_make_no_other_cause() -> None:
    one = "10:00:01 watch of 'shop/orders' ended after 17 s"
    assert cause_of(one) == cause_of(one.replace("orders", "users").replace("17", "3"))
    assert cause_of(one) != cause_of("10:00:01 the Lease cannot be read")


def test_one_cause_within_a_minute_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("it failed 1 time\n" * MOST_LINES)
    log = Log(path)
    log.read(0.0)
    assert log.too_loud() == {}
    with path.open("a") as more:
        more.write("it failed 2 time\n")
    log.read(2 * MINUTE)
    assert log.too_loud() == {}
    with path.open("a") as more:
        more.write("it failed 3 time\n" * MOST_LINES)
    log.read(2 * MINUTE + 1)
    assert list(log.too_loud().values()) == [MOST_LINES + 1]
