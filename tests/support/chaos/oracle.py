"""What must hold once nothing is wrong any more, as docs/kubernetes.md and docs/spec/conditions.md
say it. Pure: it compares what was read, and knows nothing of how the operator does it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from support.chaos.seen import CHILDREN, Seen, is_going, key_in, key_source, name_of
from support.chaos.tenants import BROKEN_FILTER

Object = dict[str, Any]
UID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
GENERATED_FOR: Final = "hookplane.dev/generated-for"
ACCEPTS: Final = frozenset({200, 202, 204})


def violations(seen: Seen) -> list[str]:
    """What does not hold, in words; empty: all is as it should be."""
    return [x for check in CHECKS for x in check(seen)]


# Statuses -----------------------------------------------------------------------------------------


def _told(seen: Seen) -> Iterator[str]:
    """Every object says what is the matter with it, about its newest spec."""
    for one in (*seen.gateways, *seen.endpoints, *seen.subscriptions):
        if is_going(one):
            continue
        own, status = one["metadata"], one.get("status", {})
        behind = {
            x["type"] for x in status.get("conditions", []) if _generation(x) != own["generation"]
        }
        if status.get("observedGeneration") != own["generation"] or behind:
            yield f"{_called(one)}: not told of generation {own['generation']}: {_said(one)}"


def _generation(found: Object) -> int:
    return int(found.get("observedGeneration", -1))


def _called(one: Object) -> str:
    return f"{one['kind']} {'/'.join(name_of(one))}"


def _said(one: Object) -> str:
    status = one.get("status", {})
    conditions = status.get("conditions", [])
    told = [f"{x['type']}={x['status']} {x['reason']}" for x in conditions]
    why = next((x.get("message") for x in conditions if x["type"] == "Ready"), "")
    said = f"{status.get('observedGeneration')}: {', '.join(told) or 'nothing'}"
    return f"{said} ({why})" if why else said


def _condition(one: Object, kind: str) -> tuple[str, str]:
    """Status and reason."""
    for found in one.get("status", {}).get("conditions", []):
        if found["type"] == kind:
            return found["status"], found["reason"]
    return "", ""


def _judged(seen: Seen) -> Iterator[str]:
    """Ready is True where nothing is wrong, and what is wrong is named."""
    wrongs: list[tuple[Object, list[tuple[str, str]]]] = [
        *((x, []) for x in seen.gateways),  # first, because what is wrong there is wrong everywhere
        *((x, wrong_with_endpoint(seen, x)) for x in seen.endpoints),
        *((x, wrong_with_subscription(seen, x)) for x in seen.subscriptions),
    ]
    for one, wrong in wrongs:
        if not is_going(one):
            yield from _held_against(one, wrong)


def _held_against(one: Object, wrong: list[tuple[str, str]]) -> Iterator[str]:
    ready = _condition(one, "Ready")[0]
    if ready != ("False" if wrong else "True"):
        wrongs = f"{wrong or 'nothing'} is wrong"
        yield f"{_called(one)}: Ready={ready or 'absent'}, though {wrongs}: {_said(one)}"
    for kind, reason in wrong:
        if _condition(one, kind) != ("False", reason):
            yield f"{_called(one)}: does not say {kind}=False {reason}: {_said(one)}"


def wrong_with_endpoint(seen: Seen, one: Object) -> list[tuple[str, str]]:
    """Conditions that must be False, and why."""
    name, key = key_source(one)
    found = seen.secrets.get((one["metadata"]["namespace"], name))
    if name.endswith("-verification") and found is not None and not _is_generated(found):
        return [("SecretsResolved", "SecretNameTaken")]
    if name.endswith("-verification"):
        return []
    if found is None:
        return [("SecretsResolved", "SecretNotFound")]
    if key not in found.get("data", {}):
        return [("SecretsResolved", "SecretKeyNotFound")]
    return [] if found["data"][key] else [("SecretsResolved", "SecretUnusable")]


def wrong_with_subscription(seen: Seen, one: Object) -> list[tuple[str, str]]:
    """Conditions that must be False, and why."""
    if one["spec"].get("filter", {}).get("cel") == BROKEN_FILTER:
        return [("Accepted", "Invalid")]
    there = {name_of(x) for x in seen.endpoints}
    place = one["metadata"]["namespace"]
    refs = [(place, x["name"]) for x in one["spec"]["endpointRefs"]]
    return [] if there.issuperset(refs) else [("EndpointsResolved", "EndpointNotFound")]


def _is_generated(found: Object) -> bool:
    return GENERATED_FOR in found["metadata"].get("labels", {})


# What a gateway is made of ------------------------------------------------------------------------


def _children(seen: Seen) -> Iterator[str]:
    wanted = {x: uid for one in seen.gateways for x, uid in _wanted(one)}
    there = {(x["kind"], x["metadata"]["name"]): x for x in seen.children}
    for child in wanted.keys() - there.keys():
        yield f"{' '.join(child)} is wanted and not there"
    for child in there.keys() - wanted.keys():
        yield f"{' '.join(child)} is there and nobody wants it"
    for child in there.keys() & wanted.keys():
        owners = [x["uid"] for x in there[child]["metadata"].get("ownerReferences", [])]
        if owners != [wanted[child]]:
            yield f"{' '.join(child)} belongs to {owners}, not to its gateway {wanted[child]}"


def _wanted(one: Object) -> Iterator[tuple[tuple[str, str], str]]:
    """Kind and name of a child, and the uid of its gateway."""
    own, spec = one["metadata"], one["spec"]
    console = ["console"] if spec.get("console", {}).get("enabled") else []
    for role in ("receiver", "dispatcher", *console):
        for kind in CHILDREN:
            if kind != "Service" or role == "receiver":
                yield (kind, f"{own['name']}-{role}"), own["uid"]


def _replicas(seen: Seen) -> Iterator[str]:
    """As many as the gateway says; if it says nothing, the count is left to others."""
    deployments = {x["metadata"]["name"]: x for x in seen.children if x["kind"] == "Deployment"}
    for one in seen.gateways:
        for role in ("receiver", "dispatcher"):
            wanted = one["spec"].get(role, {}).get("replicas")
            found = deployments.get(f"{one['metadata']['name']}-{role}")
            if wanted and found is not None and found["spec"]["replicas"] != wanted:
                yield f"{role}: {found['spec']['replicas']} replicas, {wanted} are wanted"


# What is in force ---------------------------------------------------------------------------------


def _urls(seen: Seen) -> Iterator[str]:
    endpoints = {name_of(x): x for x in seen.endpoints}
    for url, answers in seen.answers.items():
        one = endpoints.get(url)
        if one is not None and is_going(one):
            continue
        right, wrong = expected_answers(seen, one)
        if answers.right not in right or answers.wrong not in wrong:
            told = f"{answers.right} to its key and {answers.wrong} to another"
            yield f"{'/'.join(url)} answers {told}, not {sorted(right)} and {sorted(wrong)}"


def expected_answers(seen: Seen, one: Object | None) -> tuple[frozenset[int], frozenset[int]]:
    """Of a URL, to the key in force and to another. `one`: its endpoint, if there is one."""
    if one is None:
        return frozenset({404}), frozenset({404})
    if (
        one["spec"].get("suspend")
        or wrong_with_endpoint(seen, one)
        or not key_in(seen.secrets, one)
    ):
        return frozenset({503}), frozenset({503})
    return ACCEPTS, frozenset({401})


def _rows(seen: Seen) -> Iterator[str]:
    """The database holds what the objects say, and nothing of those that are gone."""
    objects = {x["metadata"]["uid"] for x in (*seen.endpoints, *seen.subscriptions)}
    for kind, uid in seen.rows:
        if UID.fullmatch(uid) and uid not in objects:
            yield f"a row of {kind} {uid} is in force, and there is no such object"


def _generated(seen: Seen) -> Iterator[str]:
    """Keys that are ours to choose are there, and user's Secrets stay theirs."""
    for one in seen.endpoints:
        name = (one["metadata"]["namespace"], key_source(one)[0])
        if name[1].endswith("-verification") and name not in seen.secrets and not is_going(one):
            yield f"{_called(one)}: its Secret {name[1]} is not there"


def _swept(seen: Seen) -> Iterator[str]:
    for one in seen.gateways:
        if _condition(one, "SweepBlocked")[0] == "True":
            yield f"{_called(one)}: SweepBlocked, though nobody deleted much"


CHECKS: Final[tuple[Callable[[Seen], Iterator[str]], ...]] = (
    _told,
    _judged,
    _children,
    _replicas,
    _urls,
    _rows,
    _generated,
    _swept,
)
