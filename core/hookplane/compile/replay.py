"""WebhookReplay → NewReplay."""

from __future__ import annotations

from hookplane.clock import Millis
from hookplane.compile.model import Absent, uid_of
from hookplane.compile.problems import Problems
from hookplane.compile.references import Neighbours
from hookplane.kinds.conditions import Reason
from hookplane.kinds.replay import ReplayEvents, WebhookReplay
from hookplane.store.delivery_store import REPLAYABLE, DeliveryState, NewReplay
from hookplane.units import parse_time


def compile_replay(
    resource: WebhookReplay, neighbours: Neighbours, now: Millis, problems: Problems
) -> NewReplay | None:
    """The replay job; None as long as its subscription is not there."""
    metadata, spec = resource.metadata, resource.spec
    name = spec.subscription_ref.name
    subscription = neighbours.subscription(metadata.namespace, name)
    if subscription is None:
        problems.missing(
            "spec.subscriptionRef.name",
            f'there is no WebhookSubscription "{name}" in this namespace',
            Reason.SUBSCRIPTION_NOT_FOUND,
            Absent("WebhookSubscription", name),
        )
        return None
    events = spec.events
    return NewReplay(
        uid=uid_of(resource),
        namespace=metadata.namespace,
        name=metadata.name,
        subscription=subscription,
        created=now,
        ids=tuple(dict.fromkeys(events.ids or ())),
        received_from=parse_time(events.from_) if events.from_ else 0,
        received_to=parse_time(events.to) if events.to else 0 if events.ids else now,
        states=_states(events),
    )


def _states(events: ReplayEvents) -> frozenset[DeliveryState]:
    """The states that the user names; the default is Dead for a range of time and All for ids."""
    named = events.states or (["All"] if events.ids else ["Dead"])
    return (
        REPLAYABLE if "All" in named else frozenset(DeliveryState(name.lower()) for name in named)
    )
