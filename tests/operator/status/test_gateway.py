"""Status of a gateway: from facts and observations to conditions, words and fields."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hookplane.kinds.conditions import ConditionType, Reason
from hookplane.store.delivery_store import Counters, TargetHealth
from hookplane.store.process_registry import Member, Presence, Role
from hookplane.store.queries import SubscriptionStats
from hookplane_operator.config.confirmations import Confirmations
from hookplane_operator.kube.names import CONFIRM_DELETIONS
from hookplane_operator.state.facts import Blocker, GatewayFacts, Informed, WayIn
from hookplane_operator.state.held_deletions import HeldDeletions
from hookplane_operator.status.gateway import ServedCounts, gateway_status
from hookplane_operator.status.observation import Observation

NOW = 1_000_000_000
FACTS = GatewayFacts("g", 2, desired={Role.RECEIVER: 1, Role.DISPATCHER: 1})
SERVED = ServedCounts(endpoints=3, subscriptions=4, version=7)
MEMBERS = tuple(
    Member(n, role, f"p{n}", 0, Presence(True, 7))
    for n, role in enumerate((Role.RECEIVER, Role.DISPATCHER))
)
SEEN = Observation(NOW, members=MEMBERS)
IN_USE = Blocker(ConditionType.STORE_AVAILABLE, Reason.STORE_IN_USE, "another gateway has it")
INFORMED = Informed("True", Reason.WATCHING, "")
BLIND = Informed("False", Reason.NOT_INFORMED, "nothing is known of webhookendpoints")
PENDING = WayIn("False", Reason.PENDING, "no controller took it", needed=True)


def status(
    facts: GatewayFacts = FACTS,
    served: ServedCounts = SERVED,
    seen: Observation | None = SEEN,
    old: dict[str, Any] | None = None,
    now: int = NOW,
    informed: Informed = INFORMED,
) -> dict[str, Any]:
    made = gateway_status(facts, informed, served, seen, old or {}, now)
    return made.model_dump(mode="json", by_alias=True)


def condition(made: dict[str, Any], name: str) -> tuple[str, str, str]:
    found = next(x for x in made["conditions"] if x["type"] == name)
    return found["status"], found["reason"], found["message"]


@pytest.mark.parametrize(
    ("facts", "seen", "state", "message"),
    [
        # it answers
        (FACTS, SEEN, "OK", ""),
        # nobody has asked yet
        (FACTS, None, "Unavailable", "not opened yet"),
        # it did not answer just now
        (FACTS, replace(SEEN, silent="no answer"), "Unavailable", "no answer"),
        # it belongs to somebody else
        (replace(FACTS, blockers=(IN_USE,)), None, "InUse", "another gateway has it"),
    ],
)
def test_store(facts: GatewayFacts, seen: Observation | None, state: str, message: str) -> None:
    made = status(facts, seen=seen)["store"]
    assert (made["state"], made["message"]) == (state, message)


def test_a_store_that_stays_as_it_was_keeps_its_time() -> None:
    before = status()
    assert status(old=before, now=NOW + 60_000)["store"] == before["store"]


def test_a_store_that_changes_gets_a_new_time() -> None:
    seen = replace(SEEN, silent="no answer")
    made = status(seen=seen, old=status(now=0), now=60_000)
    assert made["store"]["since"] == "1970-01-01T00:01:00Z"


def test_programmed_names_both_roles() -> None:
    words = "in force in 1 of 1 receiver, in force in 1 of 1 dispatcher"
    assert condition(status(), "Programmed") == ("True", "Programmed", words)


def test_programmed_says_the_worst_of_the_roles() -> None:
    made = status(seen=Observation(NOW, members=MEMBERS[:1]))
    assert condition(made, "Programmed") == ("False", "NoProcess", "no dispatcher is ready")


def test_who_sees_nothing_does_not_know_whether_a_gateway_is_ready() -> None:
    made = status(informed=BLIND)
    assert condition(made, "Informed") == ("False", "NotInformed", BLIND.message)
    assert condition(made, "Ready") == ("Unknown", "NotInformed", BLIND.message)
    assert "Stalled" not in {x["type"] for x in made["conditions"]}


def test_lists_in_place_of_watches_leave_a_gateway_ready() -> None:
    made = status(informed=Informed("True", Reason.LISTING, "no watch"))
    assert condition(made, "Informed") == ("True", "Listing", "no watch")
    assert condition(made, "Ready")[:2] == ("True", "Programmed")


def test_a_needed_way_in_decides() -> None:
    made = status(replace(FACTS, way_in=PENDING))
    assert condition(made, "Ready") == ("False", "Pending", "no controller took it")


def test_a_way_in_that_is_not_needed_does_not_decide() -> None:
    made = status(replace(FACTS, way_in=replace(PENDING, needed=False)))
    assert (condition(made, "Ready")[0], condition(made, "Exposed")[0]) == ("True", "False")


def test_held_deletions_are_said_with_how_each_namespace_is_confirmed() -> None:
    held = HeldDeletions({"blog": 12, "shop": 37})
    truth, reason, message = condition(status(served=replace(SERVED, held=held)), "SweepBlocked")
    assert (truth, reason) == ("True", "TooManyDeletions")
    assert "37 of shop, 12 of blog" in message
    said = message.partition(f"{CONFIRM_DELETIONS}=")[2]
    assert Confirmations.parse(said, NOW) == Confirmations({"shop": 37, "blog": 12})


def test_of_many_namespaces_those_with_most_are_named_and_all_can_be_confirmed() -> None:
    held = HeldDeletions({f"n{number:03}": number for number in range(300)}, '"37" is nothing')
    message = condition(status(served=replace(SERVED, held=held)), "SweepBlocked")[2]
    assert "299 of n299" in message
    assert "those of 295 more namespaces" in message
    assert f"ALL={held.total}@" in message
    assert message.endswith('"37" is nothing')
    assert len(message) < 1024


def test_keys_that_are_lost_are_said_and_leave_it_ready() -> None:
    made = status(replace(FACTS, keys_lost="7 documents"))
    assert condition(made, "KeysLost") == ("True", "SealedWithOtherKeys", "7 documents")
    assert condition(made, "Ready")[0] == "True"
    assert "KeysLost" not in {x["type"] for x in status()["conditions"]}


def test_without_blocked_deletions_nothing_is_said() -> None:
    assert "SweepBlocked" not in {x["type"] for x in status()["conditions"]}


@pytest.mark.parametrize(
    ("desired", "seen", "summary"),
    [
        # as many as there should be
        (1, SEEN, "1/1"),
        # one is missing
        (2, SEEN, "1/2"),
        # nobody has looked
        (2, None, "0/2"),
        # scaled to none while one still runs
        (0, SEEN, "1/0"),
    ],
)
def test_processes(desired: int, seen: Observation | None, summary: str) -> None:
    made = status(replace(FACTS, desired={Role.RECEIVER: desired}), seen=seen)
    assert made["receivers"]["summary"] == summary


def test_more_processes_than_wished_raise_the_wish() -> None:
    extra = replace(MEMBERS[0], process=9, instance="p9")
    made = status(seen=Observation(NOW, members=(*MEMBERS, extra)))
    assert made["receivers"]["summary"] == "2/2"


def test_a_role_that_is_not_wanted_is_not_listed() -> None:
    assert status(replace(FACTS, desired={})).get("dispatchers") is None


def test_backlog_is_what_waits_is_sent_and_is_tried_again() -> None:
    numbers = SubscriptionStats("u", Counters(), 1, 2, 4, 8, 0, 0, TargetHealth(), ())
    seen = replace(SEEN, subscriptions={"u": numbers, "v": numbers})
    assert status(seen=seen)["backlog"] == 14


def test_no_backlog_is_told_of_a_silent_store() -> None:
    assert status(seen=replace(SEEN, silent="no answer")).get("backlog") is None


def test_resources_are_what_is_served() -> None:
    made = status()["resources"]
    assert (made["endpoints"], made["subscriptions"]) == (3, 4)


@pytest.mark.parametrize(
    ("url", "expected"), [("https://x.example", "https://x.example"), ("", None)]
)
def test_url(url: str, expected: str | None) -> None:
    assert status(replace(FACTS, url=url)).get("url") == expected


def test_the_store_is_told_by_its_own_condition() -> None:
    refused = Blocker(ConditionType.ACCEPTED, Reason.INVALID, "spec.x: no")
    made = status(replace(FACTS, blockers=(refused,)))
    told = (condition(made, "Ready")[0], made["store"]["state"], made["store"]["message"])
    assert told == ("False", "OK", "")


def test_a_long_message_of_the_store_is_cut() -> None:
    made = status(seen=replace(SEEN, silent="x" * 513))
    assert made["store"]["message"] == "x" * 512
