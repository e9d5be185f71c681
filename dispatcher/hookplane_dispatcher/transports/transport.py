"""The seam between the worker of a subscription and where its events go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from hookplane.clock import Millis
from hookplane.config.subscription import SubscriptionConfig, TargetConfig
from hookplane.evaluation.pool import EvaluationPool
from hookplane.filters.event import EventView


class OutcomeKind(StrEnum):
    """What the end of an attempt means for the delivery and for the subscription."""

    DELIVERED = "delivered"
    """The target has it."""
    REFUSED = "refused"
    """The target wants nothing any more: the subscription is disabled, the event is kept."""
    THROTTLED = "throttled"
    """The target asks for a pause of the whole subscription."""
    FAILED = "failed"
    """Something is the matter with the target; the event is tried again by the schedule."""
    REJECTED = "rejected"
    """The target works, but does not take this event; that is tried again by the schedule."""


LONGEST_PAUSE: Final[Millis] = 3_600_000
"""No target may ask for more at once."""
REFUSED_CODE: Final = 410
"""The status code of an attempt that was REFUSED, whatever the transport; stored with the row."""


@dataclass(slots=True)
class Outcome:
    """How an attempt ended."""

    kind: OutcomeKind
    duration: Millis
    pause: Millis = 0
    """With THROTTLED: how long nothing should be sent."""
    status_code: int = 0
    """What an HTTP target answered; 0: no answer, or a transport that knows no codes."""
    error: str = ""
    """Empty when delivered; for people, without address, URL or anything secret."""
    answer: bytes = b""
    """The first bytes of what the target answered."""


Send = Callable[[], Awaitable[Outcome]]
"""Sends what was prepared; to be called once. Never raises for what a target does."""


class PreparedTarget(Protocol):
    """Where one subscription's events go, with everything prepared that its document says."""

    async def prepare(self, event: EventView, now: Millis, replay: str = "") -> Send:
        """Transforms and signs an event for one attempt; nothing leaves before the result is
        called. `replay`: `namespace/name` of the replay that asked for it. Raises InvalidValue when
        the event cannot be sent, and HeldBack when it cannot be transformed now."""


class Transport(Protocol):
    """One way to deliver, for all subscriptions whose target is of its kind."""

    def target(self, config: SubscriptionConfig, pool: EvaluationPool) -> PreparedTarget:
        """Prepares the target of a document, which has one of this kind. `pool`: where transforms
        are evaluated that may take long. Raises InvalidValue when it cannot be used."""

    async def close(self) -> None:
        """Lets go of its connections; what is under way fails."""


Transports = Mapping[type[TargetConfig], Transport]
"""By the model of the target that a document has. The table is made where the parts are put
together (`hookplane_cli.composition`)."""
