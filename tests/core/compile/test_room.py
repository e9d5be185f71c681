"""How many objects of a kind a namespace may have in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hookplane.compile.model import Compiled
from hookplane.config.base import Document
from hookplane.kinds.conditions import Reason
from support.planes.compiled import (
    LAPTOP,
    compiled_of,
    endpoint_text,
    generated,
    said,
    subscription_text,
)

KEYS = tuple(generated(f"{x}-verification") for x in "abc")
OF_TWO = {"WebhookEndpoint": 2}


def compiled(text: str, most: dict[str, int], known: Sequence[Document] = ()) -> Compiled:
    keys = (*KEYS, generated("s-signing"), generated("t-signing"))
    return compiled_of(text, *keys, options=replace(LAPTOP, most=most), known=known)


def endpoints(names: str) -> str:
    return "".join(endpoint_text(name=name) for name in names)


def names(made: Compiled) -> list[str]:
    return [x.name for x in made.endpoints if not x.builtin]


def test_one_more_than_the_quota_is_refused_with_what_can_be_done() -> None:
    made = compiled(endpoints("abc"), OF_TWO)
    assert names(made) == ["a", "b"]
    assert said(made) == [
        ": namespace default may have 2 of WebhookEndpoint in force on this gateway, and has as "
        "many; delete one, or have the gateway's spec.quotas.perNamespace raised"
    ]
    (problem,) = made.problems
    assert (problem.name, problem.reason) == ("c", Reason.QUOTA_EXCEEDED)


def test_what_is_in_force_counts_and_stays_however_small_the_quota_becomes() -> None:
    known = compiled(endpoints("ab"), {}).endpoints
    assert names(compiled(endpoints("bc"), OF_TWO, known)) == ["b"]
    assert names(compiled(endpoints("ab"), {"WebhookEndpoint": 0}, known)) == ["a", "b"]


def test_what_is_built_in_takes_no_room() -> None:
    builtin = [x for x in compiled(endpoints("a"), {}).endpoints if x.builtin]
    assert builtin
    assert names(compiled(endpoints("ab"), OF_TWO, builtin)) == ["a", "b"]


def test_an_object_that_is_broken_takes_no_room() -> None:
    broken = endpoint_text("{provider: Nobody}", name="a")
    made = compiled(broken + endpoints("bc"), OF_TWO)
    assert names(made) == ["b", "c"]


def test_each_namespace_has_room_of_its_own() -> None:
    other = endpoints("c").replace("name: c,", "name: c, namespace: other,")
    made = compiled(endpoints("ab") + other, OF_TWO)
    assert names(made) == ["a", "b", "c"]


def test_each_kind_has_room_of_its_own() -> None:
    subscriptions = subscription_text() + subscription_text(name="t")
    made = compiled(endpoints("a") + subscriptions, {"WebhookSubscription": 1})
    assert names(made) == ["a"]
    assert [x.name for x in made.subscriptions] == ["s"]
