"""Nothing is removed because something could not be seen, or because much is gone at once."""

from __future__ import annotations

import pytest

from hookplane.compile.endpoint import builtin_endpoints
from hookplane.config.endpoint import EndpointConfig, Source
from hookplane_operator.config.sweeper import plan_sweep
from hookplane_operator.settings import Scope

EVERYWHERE = Scope("system", ("system",), ())


def document(uid: str, namespace: str = "a") -> EndpointConfig:
    return EndpointConfig(
        uid=uid,
        namespace=namespace,
        name=uid,
        path=f"/{namespace}/{uid}",
        provider="Generic",
        event_type=Source(header="x-type"),
    )


def documents(count: int) -> list[EndpointConfig]:
    return [document(f"u{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("there", "gone", "recent", "confirmed", "removed", "blocked"),
    [
        (100, 10, 0, "", 10, 0),  # as many as always may go
        (30, 11, 0, "", 0, 11),  # one more, and more than a fifth
        (100, 20, 0, "", 20, 0),  # a fifth
        (100, 21, 0, "", 0, 21),  # more
        (100, 21, 0, "21", 21, 0),  # somebody said so
        (100, 21, 0, "20", 0, 21),  # somebody said something else
        (90, 8, 10, "", 8, 0),  # a few went before
        (80, 8, 14, "", 0, 8),  # together they are too many
        (5, 0, 50, "", 0, 0),  # nothing is gone now
    ],
)
def test_how_much_goes(
    there: int, gone: int, recent: int, confirmed: str, removed: int, blocked: int
) -> None:
    known = documents(there)
    listed = {x.uid for x in known[gone:]}
    sweep = plan_sweep(known, listed, {"a"}, EVERYWHERE, confirmed, recent)
    assert len(sweep.doomed) == removed
    assert sweep.blocked == blocked


def test_a_narrower_scope_removes_nothing() -> None:
    narrow = Scope("system", ("system",), ("b",))
    assert plan_sweep(documents(3), set(), set(), narrow).doomed == ()


def test_a_built_in_endpoint_stays_as_long_as_anything_is_in_its_namespace() -> None:
    known = [*builtin_endpoints(["a", "b"]), document("u1", "a")]
    sweep = plan_sweep(known, {"u1"}, {"a"}, EVERYWHERE)
    assert [x.namespace for x in sweep.doomed] == ["b"]
