from __future__ import annotations

from hookplane.config.subscription import CircuitConfig
from hookplane.store.delivery_store import Attempt, TargetHealth
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
