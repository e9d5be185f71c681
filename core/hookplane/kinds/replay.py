"""WebhookReplay: one auditable job that delivers events again."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field

from hookplane.kinds.base import ObjectMeta, Rule, Spec, Time, rule_check
from hookplane.kinds.status import Count, Status
from hookplane.kinds.subscription import LocalName
from hookplane.units import parse_time

ENDED: Final = ("Complete", "Cancelled")
"""States that a replay never leaves."""
ReplayState = Literal["Dead", "Delivered", "Filtered", "Expired", "Retrying", "All"]


class ReplayEvents(Spec):
    """Which events: by id, or by the time they were received in."""

    ids: (
        Annotated[
            list[Annotated[str, Field(pattern=r"^evt_[0-9a-z]{26}$", max_length=30)]],
            Field(min_length=1, max_length=1000),
        ]
        | None
    ) = None
    """Event ids."""
    from_: Annotated[Time | None, Field(alias="from")] = None
    """Received at this time or later."""
    to: Time | None = None
    """Received before this time; default: the job's creation."""
    states: Annotated[list[ReplayState], Field(min_length=1, max_length=5)] | None = None
    """In which state: Dead (default for a range), Delivered, Filtered, Expired (the subscription no
    longer read the endpoint), Retrying (due at once), or All (default for ids)."""

    RULES = (
        Rule(rule="has(self.ids) != has(self.from)", message="set exactly one of ids and from"),
        Rule(rule="!has(self.to) || has(self.from)", message="to goes with from"),
        Rule(
            rule="!has(self.to) || !has(self.from) || timestamp(self.from) < timestamp(self.to)",
            message="from must be before to",
        ),
        Rule(
            rule="!has(self.states) || !('All' in self.states) || size(self.states) == 1",
            message="All stands alone",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        rule_check((self.ids is None) != (self.from_ is None), self.RULES[0].message)
        rule_check(self.to is None or self.from_ is not None, self.RULES[1].message)
        if self.to is not None and self.from_ is not None:
            rule_check(parse_time(self.from_) < parse_time(self.to), self.RULES[2].message)
        states = self.states or []
        rule_check("All" not in states or len(states) == 1, self.RULES[3].message)


class ReplaySpec(Spec):
    """Events of one subscription to deliver again; which, and to whom, is immutable."""

    subscription_ref: LocalName
    """The subscription, in the same namespace."""
    events: ReplayEvents
    """Which events."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=2_147_483_647)] | None = None
    """In a cluster: the object is deleted so many seconds after it was complete or cancelled;
    default: it stays."""

    RULES = (
        Rule(
            rule="self.subscriptionRef == oldSelf.subscriptionRef && self.events == oldSelf.events",
            message="a replay is immutable; create another",
        ),
    )


class ReplayStatus(Status):
    """How far a replay is."""

    state: Literal["Pending", "Running", "Complete", "Cancelled"] | None = None
    """Pending: the subscription is not there yet. Cancelled: the subscription went away."""
    matched: Count | None = None
    """Events that were found."""
    delivered: Count | None = None
    """Of those: delivered by this job."""
    failed: Count | None = None
    """Of those: failed; they go on by the subscription's own schedule, or are dead again."""
    not_found: Count | None = None
    """Of `spec.events.ids`: not in the store, of no endpoint of the subscription, or still to be
    delivered for the first time."""
    start_time: Time | None = None
    """When it began."""
    completion_time: Time | None = None
    """When it was complete or cancelled."""


class WebhookReplay(BaseModel):
    """One job that delivers events again; it runs once."""

    metadata: ObjectMeta
    spec: ReplaySpec
