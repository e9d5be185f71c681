from __future__ import annotations

from hookplane.config.subscription import CircuitConfig
from hookplane.store.delivery_store import Attempt, ExpressionKind, TargetHealth
from hookplane_dispatcher.worker.health import Health, HealthChange

NOW = 1_800_000_000_000
CIRCUIT = CircuitConfig(failures=3, probe_every=30_000, probe_at_most_every=100_000)


def attempt(event: str = "evt_1", status: int = 500) -> Attempt:
    success = status < 300
    return Attempt("e", 1, event, NOW, 1, 5, success, status, "" if success else "500 Oh")


def health(**fields: int) -> Health:
    return Health.of(TargetHealth(**fields))  # type: ignore[arg-type]


def test_what_the_store_remembers_comes_back() -> None:
    state = TargetHealth(consecutive_failures=3, failed_event="evt_1", paused_at=7)
    assert Health.of(state).snapshot() == state


def test_the_circuit_opens_once_and_probes_come_rarer() -> None:
    sick = health()
    changes = [sick.count(CIRCUIT, NOW) for _ in range(5)]
    assert changes == [None, None, HealthChange.CIRCUIT_OPENED, None, None]
    blocked = [sick.blocked_until - NOW]
    for _ in range(3):
        now = sick.blocked_until
        sick.probe_failed(CIRCUIT, now)
        blocked.append(sick.blocked_until - now)
    assert blocked == [30_000, 60_000, 100_000, 100_000]


def test_success_clears_everything_but_a_retry_after() -> None:
    sick = health()
    sick.failed(attempt(), NOW)
    sick.count(CIRCUIT, NOW)
    sick.block(NOW + 5_000)
    sick.succeeded(attempt(status=200), NOW)
    assert (sick.failing_since, sick.consecutive_failures, sick.failed_event) == (0, 0, "")
    assert sick.blocked_until == NOW + 5_000
    for _ in range(3):
        sick.failed(attempt(), NOW)
        sick.count(CIRCUIT, NOW)
    sick.succeeded(attempt(status=200), NOW)
    assert (sick.open, sick.blocked_until) == (False, 0)


def test_disabling_needs_time_attempts_and_two_events() -> None:
    sick = health()
    hour = 3_600_000
    for n in range(9):
        sick.failed(attempt(f"evt_{n % 2}"), NOW + n)
    assert sick.check_disable(hour, NOW + 2 * hour) is None  # nine attempts
    sick.failed(attempt("evt_1"), NOW)
    assert sick.check_disable(hour, NOW + hour - 1) is None
    assert sick.check_disable(0, NOW + 2 * hour) is None  # never
    assert sick.check_disable(hour, NOW + hour) is HealthChange.DISABLED
    assert sick.check_disable(hour, NOW + hour) is None  # already
    assert "no success since 2027-01-15T08:00:00Z (1h): last answer 500 Oh" in sick.disabled_reason


def test_one_event_alone_disables_nothing() -> None:
    sick = health()
    for _ in range(50):
        sick.failed(attempt(), NOW)
    assert sick.check_disable(1_000, NOW + 10_000) is None


def test_resuming_clears_it() -> None:
    sick = health()
    sick.refused(NOW, "410 Gone")
    sick.block(NOW + 1)
    sick.resume()
    assert (sick.disabled_at, sick.disabled_reason, sick.blocked_until) == (0, "", 0)


def test_clocks_stand_still() -> None:
    sick = health(failing_since=NOW)
    sick.stop_clocks(NOW + 10)
    assert sick.time(NOW + 500) == NOW + 10
    assert sick.start_clocks(NOW + 1_010) == 1_000
    assert (sick.time(NOW + 1_011), sick.failing_since) == (NOW + 1_011, NOW + 1_000)
    sick.stop_clocks(NOW)
    assert sick.start_clocks(NOW - 5) == 0  # the wall clock went back


def test_a_pause_of_what_does_not_fail_starts_no_failing() -> None:
    well = health()
    well.stop_clocks(NOW)
    assert well.start_clocks(NOW + 5_000) == 5_000
    assert (well.failing_since, well.paused_at) == (0, 0)


def test_a_held_expression_is_told_once_and_released_by_what_ran_or_another_text() -> None:
    held, text = health(), {ExpressionKind.FILTER: "x"}
    assert held.hold(ExpressionKind.FILTER, "x", NOW + 5, "too much")
    assert not held.hold(ExpressionKind.FILTER, "x", NOW + 9, "too much")
    assert held.hold(ExpressionKind.FILTER, "x", NOW + 9, "no process")
    assert held.is_held(ExpressionKind.FILTER, NOW + 8)
    assert not held.is_held(ExpressionKind.TRANSFORM, NOW + 8)
    assert not held.is_held(ExpressionKind.FILTER, NOW + 9)
    assert not held.check_expressions(text)
    assert held.held_until == NOW + 9
    assert held.check_expressions({ExpressionKind.FILTER: "y"})
    assert held.snapshot() == TargetHealth()
    assert not held.release()


def test_a_hold_moves_with_the_clock() -> None:
    held = health()
    held.hold(ExpressionKind.TRANSFORM, "x", NOW + 5, "")
    held.clock_leapt(1000, NOW + 1000)
    assert held.held_until == NOW + 1005


def test_a_filter_that_failed_is_remembered_until_it_is_another_one() -> None:
    sick, text = health(), {ExpressionKind.FILTER: "x"}
    sick.fail_filter("x", "evt_1", "no such key", NOW)
    assert not sick.check_expressions(text)
    assert (sick.filter_failed, sick.filter_failed_event) == (NOW, "evt_1")
    sick.clock_leapt(-1000, NOW - 1000)
    assert sick.filter_failed == NOW - 1000
    assert sick.check_expressions({ExpressionKind.FILTER: "y"})
    assert sick.snapshot() == TargetHealth()
