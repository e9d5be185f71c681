"""Status of a WebhookGateway; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hookplane.clock import Millis
from hookplane.kinds.conditions import ConditionType, Reason
from hookplane.kinds.gateway import (
    GatewayStatus,
    ProcessesStatus,
    ResourcesStatus,
    StoreStatus,
)
from hookplane.store.process_registry import Role
from hookplane.units import format_time
from hookplane_operator.kube.names import CONFIRM_ALL, CONFIRM_DELETIONS
from hookplane_operator.state.facts import GatewayFacts, Informed
from hookplane_operator.state.held_deletions import HeldDeletions
from hookplane_operator.status.conditions import (
    Fact,
    of_trouble,
    programmed,
    settle,
    with_summaries,
)
from hookplane_operator.status.observation import Observation

_ROLES: Final = (Role.RECEIVER, Role.DISPATCHER)
_NONE: Final = HeldDeletions()
_SHOWN: Final = 5
"""Namespaces that a sentence names."""


@dataclass(frozen=True, slots=True)
class ServedCounts:
    """What a gateway serves, and what is in its way."""

    endpoints: int = 0
    subscriptions: int = 0
    version: int = 0
    """The newest that was written."""
    held: HeldDeletions = _NONE
    """Objects whose rows are kept though they are gone."""


def gateway_status(
    facts: GatewayFacts,
    informed: Informed,
    served: ServedCounts,
    seen: Observation | None,
    old: Mapping[str, Any],
    now: Millis,
) -> GatewayStatus:
    """`old`: the status so far."""
    found = [
        _of(facts, ConditionType.ACCEPTED, Reason.ACCEPTED),
        _of(facts, ConditionType.SECRETS_RESOLVED, Reason.RESOLVED),
        _store(facts, seen),
        Fact(ConditionType.INFORMED, informed.truth, informed.reason, informed.message),
        _programmed(facts, served, seen),
        *_exposed(facts, needed=True),
    ]
    found = with_summaries(found) + _exposed(facts, needed=False)
    if served.held:
        found.append(_blocked(served.held, now))
    if facts.keys_lost:
        reason = Reason.SEALED_WITH_OTHER_KEYS
        found.append(Fact(ConditionType.KEYS_LOST, "True", reason, facts.keys_lost))
    return GatewayStatus(
        observed_generation=facts.generation,
        conditions=settle(found, old.get("conditions", ()), facts.generation, format_time(now)),
        url=facts.url or None,
        receivers=_processes(facts, Role.RECEIVER, seen),
        dispatchers=_processes(facts, Role.DISPATCHER, seen),
        store=_store_status(found, old, now),
        backlog=_backlog(seen),
        resources=ResourcesStatus(endpoints=served.endpoints, subscriptions=served.subscriptions),
    )


def is_ready(status: GatewayStatus) -> bool:
    """Unknown is not."""
    return any(
        x.type == ConditionType.READY.value and x.status == "True" for x in status.conditions
    )


def _of(facts: GatewayFacts, type: ConditionType, reason: Reason) -> Fact:  # noqa: A002
    return of_trouble(type, facts.blockers, Fact(type, "True", reason))


def _store(facts: GatewayFacts, seen: Observation | None) -> Fact:
    condition = ConditionType.STORE_AVAILABLE
    if seen is not None and seen.silent:
        return Fact(condition, "False", Reason.STORE_UNAVAILABLE, seen.silent)
    good = Fact(condition, "True", Reason.AVAILABLE)
    if seen is None:
        good = Fact(condition, "Unknown", Reason.STORE_UNAVAILABLE, "not opened yet")
    return of_trouble(condition, facts.blockers, good)


def _programmed(facts: GatewayFacts, served: ServedCounts, seen: Observation | None) -> Fact:
    each = [programmed(role, "", served.version, 0, seen) for role in _ROLES]
    worst = next((x for x in each if x.status != "True"), None)
    words = ", ".join(x.message for x in each)
    good = worst or Fact(ConditionType.PROGRAMMED, "True", Reason.PROGRAMMED, words)
    return of_trouble(ConditionType.PROGRAMMED, facts.blockers, good)


def _exposed(facts: GatewayFacts, *, needed: bool) -> list[Fact]:
    way_in = facts.way_in
    if way_in is None or way_in.needed is not needed:
        return []
    return [Fact(ConditionType.EXPOSED, way_in.truth, way_in.reason, way_in.message)]


def _blocked(held: HeldDeletions, now: Millis) -> Fact:
    """The namespaces with most, and how each is confirmed; else how all are."""
    most = sorted(held.namespaces, key=lambda x: (-held.namespaces[x], x))[:_SHOWN]
    left, today = len(held.namespaces) - len(most), format_time(now)[:10]
    each = ", ".join(f"{held.namespaces[x]} of {x}" for x in most)
    words = ",".join(f"{x}={held.namespaces[x]}@{today}" for x in most)
    message = (
        f"objects are gone and nobody was seen deleting them: {each}"
        f"{f' and those of {left} more namespaces' if left else ''}. Their rows are kept and their "
        f"URLs still answer. If that is meant: kubectl annotate whg … --overwrite "
        f"{CONFIRM_DELETIONS}={words}"
    )
    if left:
        message += f", or for all namespaces {CONFIRM_ALL}={held.total}@{today}"
    if held.objection:
        message += f". Of what the annotation says, {held.objection}"
    return Fact(ConditionType.SWEEP_BLOCKED, "True", Reason.TOO_MANY_DELETIONS, message)


def _processes(facts: GatewayFacts, role: Role, seen: Observation | None) -> ProcessesStatus | None:
    if role not in facts.desired:
        return None
    ready = len(seen.ready(role)) if seen is not None else 0
    desired = max(facts.desired[role], ready if seen is not None and facts.desired[role] else 0)
    return ProcessesStatus(ready=ready, desired=desired, summary=f"{ready}/{desired}")


def _store_status(found: list[Fact], old: Mapping[str, Any], now: Millis) -> StoreStatus:
    fact = next(x for x in found if x.type is ConditionType.STORE_AVAILABLE)
    in_use = fact.reason in (Reason.STORE_IN_USE, Reason.WRITER_REFUSED)
    state = "OK" if fact.status == "True" else "InUse" if in_use else "Unavailable"
    before = old.get("store", {})
    since = before.get("since") if before.get("state") == state else format_time(now)
    return StoreStatus(state=state, since=since, message=fact.message[:512])


def _backlog(seen: Observation | None) -> int | None:
    if seen is None or seen.silent:
        return None
    return sum(x.pending + x.sending + x.retrying for x in seen.subscriptions.values())
