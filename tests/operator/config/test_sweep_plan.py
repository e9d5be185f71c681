"""What a sweep removes, and what it leaves until somebody says that it was meant."""

from __future__ import annotations

import pytest

from hookplane.clock import Millis
from hookplane.compile.endpoint import builtin_endpoints
from hookplane.compile.model import ObjectKey
from hookplane.config.endpoint import EndpointConfig, Source
from hookplane.units import parse_time
from hookplane_operator.config.confirmations import Confirmations
from hookplane_operator.config.sweep_plan import ListedObjects, plan_sweep
from hookplane_operator.kube.kinds import ENDPOINT
from hookplane_operator.settings import Scope

TODAY: Millis = parse_time("2026-11-30T12:00:00Z")


def confirmed(*words: str) -> Confirmations:
    return Confirmations.parse(",".join(f"{x}@2026-11-30" for x in words), TODAY)


def lost(count: int, namespace: str = "a") -> list[ObjectKey]:
    return [ObjectKey(ENDPOINT.kind, namespace, f"lost-{number}") for number in range(count)]


EVERYWHERE = Scope("system", ("system",), ())


def document(uid: str, namespace: str = "a", name: str = "") -> EndpointConfig:
    return EndpointConfig(
        uid=uid,
        namespace=namespace,
        name=name or uid,
        path=f"/{namespace}/{uid}",
        provider="Generic",
        event_type=Source(header="x-type"),
    )


def documents(count: int, namespace: str = "a") -> list[EndpointConfig]:
    return [document(f"u{number}" + namespace.strip("a"), namespace) for number in range(count)]


def listed(*found: EndpointConfig) -> ListedObjects:
    keys = {ObjectKey(ENDPOINT.kind, x.namespace, x.name) for x in found}
    return ListedObjects({x.uid for x in found}, keys)


@pytest.mark.parametrize(
    ("there", "gone", "recent", "words", "removed", "held"),
    [
        (100, 10, 0, "", 10, 0),  # as many as always may go
        (30, 11, 0, "", 0, 11),  # one more, and more than a fifth
        (100, 20, 0, "", 20, 0),  # a fifth
        (100, 21, 0, "", 0, 21),  # more
        (100, 21, 0, "a=21", 21, 0),  # somebody said so
        (100, 21, 0, "a=11", 21, 0),  # a few more vanished since
        (100, 21, 0, "a=10", 0, 21),  # more than a few
        (100, 21, 0, "a=40", 21, 0),  # some came back
        (100, 21, 0, "b=21", 0, 21),  # somebody spoke of another namespace
        (100, 21, 0, "ALL=21", 21, 0),  # of all
        (90, 8, 10, "", 8, 0),  # a few went before
        (80, 8, 14, "", 0, 8),  # together they are too many
        (5, 0, 50, "", 0, 0),  # nothing is gone now
    ],
)
def test_how_much_goes(
    there: int, gone: int, recent: int, words: str, removed: int, held: int
) -> None:
    known = documents(there)
    said = confirmed(words) if words else confirmed()
    sweep = plan_sweep(
        known,
        listed(*known[gone:]),
        set(),
        EVERYWHERE,
        confirmed=said,
        recent=set(lost(recent)),
    )
    assert (len(sweep.doomed), sum(sweep.held.values())) == (removed, held)
    assert len(sweep.doubted) == (0 if words else removed)


@pytest.mark.parametrize("gone", [1, 10])
def test_whoever_misses_much_makes_nobody_else_wait(gone: int) -> None:
    mine, theirs = documents(12), documents(30, "b")
    sweep = plan_sweep([*mine, *theirs], listed(*theirs[gone:]), set(), EVERYWHERE)
    assert [x.uid for x in sweep.doomed] == [x.uid for x in theirs[:gone]]
    assert sweep.held == {"a": 12}


def test_what_is_missing_from_most_namespaces_waits_though_none_misses_much() -> None:
    """So looks a list that lies."""
    names = [f"n{number}" for number in range(6)]
    known = [x for name in names for x in documents(4, name)]
    assert plan_sweep(known, listed(), set(), EVERYWHERE).held == dict.fromkeys(names, 4)
    half = [x for x in known if x.namespace in names[:3]]
    assert plan_sweep(known, listed(*half), set(), EVERYWHERE).held == {}
    said = confirmed("ALL=24")
    assert plan_sweep(known, listed(), set(), EVERYWHERE, confirmed=said).held == {}
    said = confirmed("n0=4", "n1=4")
    plan = plan_sweep(known, listed(), set(), EVERYWHERE, confirmed=said)
    assert {x.namespace for x in plan.doomed} == {"n0", "n1"}


def test_what_was_meant_is_no_loss_and_counts_for_nothing() -> None:
    known = documents(40)
    meant = {x.uid for x in known[:30]}
    sweep = plan_sweep(known, listed(*known[35:]), set(), EVERYWHERE, lambda x: x.uid in meant)
    assert (len(sweep.doomed), len(sweep.doubted), sweep.held) == (35, 5, {})


def test_what_was_made_again_is_no_loss() -> None:
    former = [document(f"former-{number}", name="churn") for number in range(40)]
    living, innocent = document("living", name="churn"), document("innocent")
    sweep = plan_sweep([*former, living, innocent], listed(living), set(), EVERYWHERE)
    assert {x.uid for x in sweep.doomed} == {"innocent", *(x.uid for x in former)}
    assert ([x.name for x in sweep.doubted], sweep.held) == (["innocent"], {})


def test_what_was_made_again_goes_while_losses_wait() -> None:
    known = [document("former", name="churn"), document("living", name="churn"), *documents(11)]
    sweep = plan_sweep(known, listed(known[1]), set(), EVERYWHERE)
    assert [x.uid for x in sweep.doomed] == ["former"]
    assert (sweep.doubted, sweep.held) == ((), {"a": 11})


def test_what_was_lost_and_made_again_counts_no_more() -> None:
    known = documents(30)
    recent = {ObjectKey(ENDPOINT.kind, x.namespace, x.name) for x in known[1:20]}
    sweep = plan_sweep(known, listed(*known[1:]), set(), EVERYWHERE, recent=recent)
    assert ([x.name for x in sweep.doubted], sweep.held) == (["u0"], {})


def test_what_is_lost_again_and_again_is_one_loss() -> None:
    known = documents(20)
    recent = {ObjectKey(ENDPOINT.kind, x.namespace, x.name) for x in known[:10]}
    sweep = plan_sweep(known, listed(*known[10:]), set(), EVERYWHERE, recent=recent)
    assert (len(sweep.doubted), sweep.held) == (10, {})


def test_the_share_is_of_what_there_is_and_not_of_its_former_lives() -> None:
    former = [document(f"former-{number}", name="churn") for number in range(200)]
    living = document("living", name="churn")
    known = [*former, living, *documents(11)]
    assert plan_sweep(known, listed(living), set(), EVERYWHERE).held == {"a": 11}


def test_a_narrower_scope_removes_nothing() -> None:
    narrow = Scope("system", ("system",), ("b",))
    assert plan_sweep(documents(3), listed(), set(), narrow).doomed == ()


def test_a_built_in_endpoint_stays_as_long_as_anything_is_in_its_namespace() -> None:
    known = [*builtin_endpoints(["a", "b"]), document("u1", "a")]
    sweep = plan_sweep(known, listed(document("u1", "a")), set(), EVERYWHERE)
    assert [x.namespace for x in sweep.doomed] == ["b"]


def test_a_built_in_endpoint_stays_as_long_as_anything_waits_in_its_namespace() -> None:
    known = [*builtin_endpoints(["a"]), *documents(11)]
    assert plan_sweep(known, listed(), set(), EVERYWHERE).doomed == ()
