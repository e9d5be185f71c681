"""What differs between what is in force and what was compiled, and the rows that it becomes."""

from __future__ import annotations

from hookplane.compile.change import ConfigDiff, plan_diff
from hookplane.config.endpoint import EndpointConfig, Source
from hookplane.sealing import Sealer
from hookplane.store.config_store import ConfigKind, CursorPlan
from support.planes.compiled import (
    compiled_of,
    endpoint_text,
    generated,
    one_subscription,
    subscription_text,
)

SEALER = Sealer({"k": bytes(32)}, "k")


def endpoint(uid: str, **fields: str | bool) -> EndpointConfig:
    facts = {"path": "/d/e", "provider": "GitHub", "event_type": Source(value="x")} | fields
    return EndpointConfig.model_validate({"uid": uid, "namespace": "d", "name": "e"} | facts)


def test_only_what_differs_is_written() -> None:
    old, same = endpoint("a"), endpoint("b")
    new, fresh = endpoint("a", suspended=True), endpoint("c")
    gone = endpoint("d")
    in_force = {x.uid: x for x in (old, same, gone)}
    change = plan_diff(in_force, [new, same, fresh], {"d"})
    assert change == ConfigDiff((fresh,), (new,), (gone,))


def test_while_a_secret_cannot_be_read_what_works_is_not_replaced_by_what_lacks_it() -> None:
    good, lacking = endpoint("a"), endpoint("a", not_ready="no Secret")
    assert not plan_diff({"a": good}, [lacking], set(), {"a"})
    assert plan_diff({"a": good}, [lacking], set()).changed == (lacking,)
    assert plan_diff({"a": lacking}, [good], set(), {"a"}).changed == (good,)


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


def test_what_is_stale_is_written_again_although_it_says_the_same() -> None:
    same, other = endpoint("a"), endpoint("b")
    in_force = {"a": same, "b": other}
    assert plan_diff(in_force, [same, other], set(), stale={"a"}).changed == (same,)


def test_what_is_doomed_is_not_written_as_well() -> None:
    old, new = endpoint("a"), endpoint("a", suspended=True)
    assert plan_diff({"a": old}, [new], {"a"}) == ConfigDiff(deleted=(old,))
    assert not plan_diff({}, [new], {"a"})


def test_built_in_endpoints_are_no_users() -> None:
    own, builtin = endpoint("a"), endpoint("b", builtin=True)
    changed, gone = endpoint("c"), endpoint("d")
    both = ConfigDiff((own, builtin), (builtin, changed), (gone, builtin))
    assert both.of_users() == ConfigDiff((own,), (changed,), (gone,))
    rows = ConfigDiff((own, builtin)).rows(lambda _: SEALER)
    assert [x.namespace for x in rows.upserts] == ["d", ""]


def test_a_change_that_only_deletes_is_a_change() -> None:
    assert ConfigDiff(deleted=(endpoint("a"),))
    assert ConfigDiff(changed=(endpoint("a"),))
    assert not ConfigDiff()
