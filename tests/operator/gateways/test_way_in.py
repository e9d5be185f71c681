"""What counts of the things that controllers write about an HTTPRoute or Ingress."""

from __future__ import annotations

from typing import Any

import pytest

from hookplane.kinds.conditions import Reason
from hookplane.kinds.gateway import ParentRef
from hookplane_operator.gateways.way_in import of_balancer, of_ingress, of_route

OURS = {"name": "edge", "namespace": "infra"}
LISTENER = OURS | {"sectionName": "https"}
NEAR = {"name": "edge"}
GENERATION = 3
YES = ("Accepted", "True", GENERATION)
NO = ("Accepted", "False", GENERATION)
RESOLVED = ("ResolvedRefs", "True", GENERATION)
UNRESOLVED = ("ResolvedRefs", "False", GENERATION)
OLD_YES, OLD_NO = ("Accepted", "True", 2), ("Accepted", "False", 2)
UNTOLD = ("Accepted", "True", None)
"""A controller that does not say which generation it means."""

Said = tuple[dict[str, str], list[tuple[str, str, int | None]]]


def route(*said: Said) -> dict[str, Any]:
    """An HTTPRoute with what was said of which parentRef."""
    parents = [
        {
            "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway"} | ref,
            "conditions": [
                {"type": kind, "status": status, "reason": "Why", "message": "words"}
                | ({} if generation is None else {"observedGeneration": generation})
                for kind, status, generation in conditions
            ],
        }
        for ref, conditions in said
    ]
    return {"metadata": {"generation": GENERATION}, "status": {"parents": parents}}


CASES = {
    "not made yet": ([OURS], {}, Reason.NOT_REPORTED),
    "nothing said": ([OURS], route(), Reason.NOT_REPORTED),
    "seen, not decided": ([OURS], route((OURS, [])), Reason.NOT_REPORTED),
    "accepted": ([OURS], route((OURS, [YES, RESOLVED])), Reason.EXPOSED),
    "only resolved": ([OURS], route((OURS, [RESOLVED])), Reason.NOT_REPORTED),
    "refused": ([OURS], route((OURS, [NO, RESOLVED])), Reason.ROUTE_NOT_ACCEPTED),
    "without the Service": ([OURS], route((OURS, [YES, UNRESOLVED])), Reason.REFS_NOT_RESOLVED),
    "accepted long ago": ([OURS], route((OURS, [OLD_YES])), Reason.NOT_REPORTED),
    "refused long ago": ([OURS], route((OURS, [OLD_NO, YES])), Reason.EXPOSED),
    "no generation": ([OURS], route((OURS, [UNTOLD])), Reason.EXPOSED),
    "another listener": ([LISTENER], route((OURS, [YES])), Reason.NOT_REPORTED),
    "our listener": ([LISTENER], route((LISTENER, [YES])), Reason.EXPOSED),
    "of the same name elsewhere": ([NEAR], route((OURS, [YES])), Reason.NOT_REPORTED),
    "our own namespace": ([NEAR], route((NEAR | {"namespace": "here"}, [YES])), Reason.EXPOSED),
    "a Service, not a Gateway": (
        [OURS],
        route((OURS | {"kind": "Service", "group": ""}, [YES])),
        Reason.NOT_REPORTED,
    ),
    "two controllers disagree": (
        [OURS],
        route((OURS, [YES]), (OURS, [NO])),
        Reason.ROUTE_NOT_ACCEPTED,
    ),
    "one of two": ([OURS, NEAR], route((OURS, [YES])), Reason.NOT_REPORTED),
    "both": ([OURS, NEAR], route((OURS, [YES]), (NEAR, [YES])), Reason.EXPOSED),
    "a refusal before silence": ([NEAR, OURS], route((OURS, [NO])), Reason.ROUTE_NOT_ACCEPTED),
}


@pytest.mark.parametrize("case", CASES)
def test_a_route_is_accepted_by_all_its_gateways_or_not(case: str) -> None:
    refs, live, reason = CASES[case]
    found = of_route([ParentRef.model_validate(x) for x in refs], live, "here")
    assert (found.reason, found.needed) == (reason, True)


def test_a_refusal_has_the_words_of_the_gateway() -> None:
    found = of_route([ParentRef.model_validate(LISTENER)], route((LISTENER, [NO])), "here")
    assert found.message == "Gateway infra/edge, listener https says Why: words"


def test_many_addresses_are_not_all_told() -> None:
    entries = [{"ip": f"203.0.113.{number}"} for number in range(50)]
    found = of_ingress({"status": {"loadBalancer": {"ingress": entries}}})
    assert found.message == "at 203.0.113.0, 203.0.113.1, 203.0.113.2, 203.0.113.3"


def test_a_load_balancer_says_where_it_is_and_holds_up_nobody() -> None:
    found = of_balancer({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}})
    assert (found.truth, found.message, found.needed) == ("True", "at 192.0.2.7", False)
    missing = of_balancer({})
    assert (missing.truth, missing.reason) == ("Unknown", Reason.NO_ADDRESS)
    assert "is there a controller that makes load balancers?" in missing.message
