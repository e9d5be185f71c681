"""Who is dead, by what one process has seen."""

from __future__ import annotations

import pytest

from hookplane.store.liveness import (
    CONFIRM_SECONDS,
    PROOF_SECONDS,
    SETTLE_SECONDS,
    Liveness,
)
from hookplane.store.process_registry import LEASE, Sighting

LEASE_SECONDS = LEASE / 1000
STEP = 0.25
TOOK = 0.01


class Observer:
    """Looks again and again, as the time of a test passes."""

    def __init__(self) -> None:
        self.liveness = Liveness()
        self.now = 1_000.0
        self.others: dict[int, Sighting] = {}

    def see(self, process: int = 1, pulse: int = 1, *, gone: bool = False) -> None:
        """From now on."""
        self.others[process] = Sighting(process, pulse, gone)

    def look(self) -> list[int]:
        begun = self.now
        self.now += TOOK
        dead = self.liveness.judge(begun, self.now, list(self.others.values()))
        return [x.process for x in dead]

    def seconds_until_dead(self, at_most: float = 60.0) -> float:
        """From now to the look that finds somebody dead; infinite: none does."""
        begun = self.now
        while self.now < begun + at_most:
            if self.look():
                return self.now - begun
            self.now += STEP
        return float("inf")


@pytest.fixture
def observer() -> Observer:
    made = Observer()
    made.see()
    made.look()
    return made


def test_a_connection_that_ended_is_believed_when_it_stays_so(observer: Observer) -> None:
    observer.see(gone=True)
    assert CONFIRM_SECONDS <= observer.seconds_until_dead() < CONFIRM_SECONDS + 2 * STEP


def test_a_newcomer_believes_it_as_soon() -> None:
    newcomer = Observer()
    newcomer.see(gone=True)
    assert CONFIRM_SECONDS <= newcomer.seconds_until_dead() < CONFIRM_SECONDS + 2 * STEP


def test_two_looks_that_are_near_are_not_enough(observer: Observer) -> None:
    observer.see(gone=True)
    assert observer.look() == []
    observer.now += CONFIRM_SECONDS - 2 * TOOK
    assert observer.look() == []


def test_a_proof_ends_before_anybody_may_act_against_it() -> None:
    assert PROOF_SECONDS + 0.1 < CONFIRM_SECONDS
    assert PROOF_SECONDS > 2 * STEP


@pytest.mark.parametrize(
    "sign", [Sighting(1, 2, True), Sighting(1, 1, False), Sighting(1, 2, False)]
)
def test_any_sign_of_life_begins_anew(observer: Observer, sign: Sighting) -> None:
    """A heartbeat over another connection, or the connection that is there again."""
    observer.see(gone=True)
    observer.look()
    observer.now += CONFIRM_SECONDS / 2
    observer.others[1] = sign
    assert observer.look() == []
    observer.see(pulse=sign.pulse, gone=True)
    assert observer.seconds_until_dead() >= CONFIRM_SECONDS


def test_silence_is_believed_after_a_lease(observer: Observer) -> None:
    took = observer.seconds_until_dead()
    assert LEASE_SECONDS - 2 * STEP < took < LEASE_SECONDS + 2 * STEP


def test_heartbeats_end_silence(observer: Observer) -> None:
    for pulse in range(2, 20):
        observer.see(pulse=pulse)
        assert observer.seconds_until_dead(LEASE_SECONDS - 1) == float("inf")


def test_only_the_silent_one_is_dead(observer: Observer) -> None:
    observer.see(2)
    for beat in range(2, 40):
        observer.see(2, pulse=beat)
        observer.now += STEP
        if dead := observer.look():
            assert dead == [1]
            return
    pytest.fail("nobody was found dead")


@pytest.mark.parametrize("failed", [True, False])
def test_who_could_not_look_gives_everybody_a_whole_lease(observer: Observer, failed: bool) -> None:
    """The store was away, or this process stood still: who was silent then may not have been."""
    if failed:
        observer.liveness.missed()
        observer.now += STEP
    else:
        observer.now += 10 * LEASE_SECONDS
    assert observer.seconds_until_dead() >= LEASE_SECONDS


def test_who_could_not_look_gives_everybody_time_to_connect_again(observer: Observer) -> None:
    observer.see(gone=True)
    observer.look()
    observer.liveness.missed()
    observer.now += CONFIRM_SECONDS
    took = observer.seconds_until_dead()
    assert SETTLE_SECONDS + CONFIRM_SECONDS <= took < SETTLE_SECONDS + CONFIRM_SECONDS + 2 * STEP


def test_who_has_left_is_forgotten(observer: Observer) -> None:
    """A number that comes again would be another process."""
    observer.see(gone=True)
    observer.look()
    observer.others.clear()
    observer.now += STEP
    observer.look()
    observer.now += STEP
    observer.see(gone=True)
    assert observer.seconds_until_dead() >= CONFIRM_SECONDS
