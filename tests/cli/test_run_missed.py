"""What a load changes in the store, and what an API server would not let change."""

from __future__ import annotations

from hookplane.compile.change import ConfigDiff, plan_diff
from hookplane.config.endpoint import EndpointConfig, Source
from hookplane.sealing import Sealer
from hookplane.store.config_store import ConfigKind, CursorPlan
from hookplane_cli.laptop.immutable import Immutables
from hookplane_cli.laptop.missed import CONFIRM_AFTER, Missed, missed
from support.planes.compiled import (
    compiled_of,
    endpoint_text,
    generated,
    manifests_of,
    one_subscription,
    subscription_text,
)

SEALER = Sealer({"k": bytes(32)}, "k")
REPLAY = (
    "apiVersion: hookplane.dev/v1alpha1\nkind: WebhookReplay\nmetadata: {name: r}\n"
    "spec: {subscriptionRef: {name: s}, events: {from: '2026-11-21T00:00:00Z'}}\n"
)


def endpoint(uid: str, **fields: str | bool) -> EndpointConfig:
    facts = {"path": "/d/e", "provider": "GitHub", "event_type": Source(value="x")} | fields
    return EndpointConfig.model_validate({"uid": uid, "namespace": "d", "name": "e"} | facts)


def test_an_object_goes_when_two_loads_miss_it() -> None:
    first = missed({"a", "b"}, {"a"}, Missed(), True, 1000)
    assert (first, first.due) == (Missed(frozenset(), {"b": 1000}), 1000 + CONFIRM_AFTER)
    soon = missed({"a", "b"}, {"a"}, first, True, 1001)
    assert soon == first
    later = missed({"a", "b"}, {"a"}, soon, True, 1000 + CONFIRM_AFTER)
    assert (later, later.due) == (Missed(frozenset({"b"}), {}), None)


def test_a_load_that_could_not_read_everything_dooms_nothing() -> None:
    before = Missed(frozenset(), {"a": 0, "b": 0})
    assert missed({"a", "b"}, set(), before, False, 10**9) == Missed()


def test_only_what_differs_is_written() -> None:
    old, same = endpoint("a"), endpoint("b")
    new, fresh = endpoint("a", suspended=True), endpoint("c")
    gone = endpoint("d")
    in_force = {x.uid: x for x in (old, same, gone)}
    change = plan_diff(in_force, [new, same, fresh], {"d"}, trusted=True)
    assert change == ConfigDiff((fresh,), (new,), (gone,))


def test_while_a_secret_cannot_be_read_what_works_is_not_replaced_by_what_lacks_it() -> None:
    good, lacking = endpoint("a"), endpoint("a", not_ready="no Secret")
    assert not plan_diff({"a": good}, [lacking], set(), trusted=False)
    assert plan_diff({"a": good}, [lacking], set(), trusted=True).changed == (lacking,)
    assert plan_diff({"a": lacking}, [good], set(), trusted=False).changed == (good,)


def test_a_change_becomes_rows_with_cursors() -> None:
    text = endpoint_text() + subscription_text("startFrom: '2026-11-21T00:00:00Z'")
    compiled = compiled_of(text, generated("a-verification"), generated("s-signing"))
    made = one_subscription(compiled)
    rows = ConfigDiff((made,), (), (endpoint("d"),)).rows(lambda _: SEALER)
    assert [(x.kind, x.uid) for x in rows.upserts] == [(ConfigKind.SUBSCRIPTION, made.uid)]
    assert rows.deletes == ((ConfigKind.ENDPOINT, "d"),)
    assert rows.cursors == (
        CursorPlan(made.uid, ("webhookendpoints/default/a",), 1_795_219_200_000),
    )
    assert b"whsec_" not in (rows.upserts[0].document or b"")


def test_a_replay_is_immutable() -> None:
    immutables = Immutables()
    first = manifests_of(REPLAY).resources
    changed = manifests_of(REPLAY.replace("11-21", "11-22")).resources
    assert immutables.check(first, {}) == (list(first), [])
    assert immutables.check(first, {}) == (list(first), [])
    allowed, (problem,) = immutables.check(changed, {})
    assert allowed == []
    assert problem.message == "is immutable; a replay runs once, so create another"


def test_where_a_subscription_starts_is_immutable() -> None:
    base = subscription_text()
    made = one_subscription(compiled_of(base))
    changed = manifests_of(subscription_text("startFrom: Earliest")).resources
    allowed, (problem,) = Immutables().check(changed, {made.uid: made})
    assert (allowed, problem.path) == ([], "spec.startFrom")
    assert Immutables().check(manifests_of(base).resources, {made.uid: made})[1] == []
