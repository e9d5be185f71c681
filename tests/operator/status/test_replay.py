"""Status of a replay: from its job to conditions, words and fields."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hookplane.compile.model import ObjectKey, Problem
from hookplane.kinds.conditions import Reason
from hookplane.store.delivery_store import ReplayJob, ReplayPhase
from hookplane_operator.state.result import ReconcileResult
from hookplane_operator.status.observation import Observation
from hookplane_operator.status.replay import replay_status

NOW = 1_000_000_000
KEY = ObjectKey("WebhookReplay", "shop", "again")
LOST = Problem(*KEY, "spec", "no such subscription", reason=Reason.SUBSCRIPTION_NOT_FOUND)


def job(phase: ReplayPhase, finished: int = 0) -> ReplayJob:
    return ReplayJob("u", "shop", "again", "s", 60_000, phase, 9, 5, 2, True, finished)


def status(made: ReplayJob | None, *problems: Problem, away: str = "") -> dict[str, Any]:
    replays = {"u": made} if made is not None else {}
    seen = Observation(NOW, away, replays=replays)
    result = ReconcileResult(KEY, "u", 3, problems)
    return replay_status(result, seen, {}, NOW).model_dump(mode="json", by_alias=True)


def condition(made: dict[str, Any], name: str) -> tuple[str, str, str]:
    found = next(x for x in made["conditions"] if x["type"] == name)
    return found["status"], found["reason"], found["message"]


@pytest.mark.parametrize(
    ("phase", "state", "truth"),
    [
        # on its way
        (ReplayPhase.RUNNING, "Running", "False"),
        # all is sent
        (ReplayPhase.COMPLETE, "Complete", "True"),
        # it will never be complete
        (ReplayPhase.CANCELLED, "Cancelled", "False"),
    ],
)
def test_phases(phase: ReplayPhase, state: str, truth: str) -> None:
    made = status(job(phase))
    words = "9 matched, 5 delivered, 2 failed"
    assert (made["state"], condition(made, "Complete")) == (state, (truth, state, words))


def test_ids_that_are_not_found_are_told() -> None:
    made = status(replace(job(ReplayPhase.COMPLETE), not_found=2))
    assert made["notFound"] == 2
    assert "2 failed, 2 ids not found: not in the store" in condition(made, "Complete")[2]


def test_without_a_job_it_is_pending() -> None:
    made = status(None)
    assert (made["state"], condition(made, "Complete")) == ("Pending", ("False", "Pending", ""))


def test_without_a_job_nothing_is_programmed() -> None:
    expected = ("False", "Pending", "the job is not created yet")
    assert condition(status(None), "Programmed") == expected


def test_a_store_that_is_away_is_said() -> None:
    expected = ("Unknown", "StoreUnavailable", "no answer")
    assert condition(status(None, away="no answer"), "Programmed") == expected


def test_a_job_that_is_known_outlives_a_store_that_is_away() -> None:
    made = status(job(ReplayPhase.RUNNING), away="no answer")
    assert condition(made, "Programmed") == ("True", "Programmed", "")


def test_a_lost_subscription_is_said() -> None:
    expected = ("False", "SubscriptionNotFound", "spec: no such subscription")
    assert condition(status(None, LOST), "SubscriptionResolved") == expected


def test_a_job_needs_its_subscription_no_more() -> None:
    made = status(job(ReplayPhase.RUNNING), LOST)
    assert condition(made, "SubscriptionResolved") == ("True", "Resolved", "")


def test_times_of_a_finished_job() -> None:
    made = status(job(ReplayPhase.COMPLETE, 120_000))
    times = (made["startTime"], made["completionTime"])
    assert times == ("1970-01-01T00:01:00Z", "1970-01-01T00:02:00Z")


def test_a_running_job_has_no_completion_time() -> None:
    assert status(job(ReplayPhase.RUNNING)).get("completionTime") is None
