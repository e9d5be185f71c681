"""Status of a WebhookEndpoint."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from hookplane.kinds.base import Spec, Time
from hookplane.kinds.status import Count, ShortText, Status

MAX_REASONS: Final = 32

ReasonWord = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*$", max_length=64)]


class LastRejected(Spec):
    """The last request that was not accepted."""

    time: Time
    """When it came."""
    reason: ReasonWord
    """Why, in one word; the same as in `requests.rejectedByReason`."""
    message: ShortText = ""
    """Why, for people, and from which address."""


class Requests(Spec):
    """Requests in numbers, since the endpoint was created."""

    accepted: Count | None = None
    """Stored as events."""
    duplicates: Count | None = None
    """Answered like the original and not stored again."""
    conflicts: Count | None = None
    """Duplicates with another body; the first one was kept."""
    rejected: Count | None = None
    """Not accepted, for whatever reason."""
    rejected_by_reason: Annotated[dict[str, Count], Field(max_length=MAX_REASONS)] = {}
    """The same by reason, such as SignatureMismatch."""
    stored: Count | None = None
    """Events that retention has not removed yet."""
    last_accepted_time: Time | None = None
    """When the last request was accepted."""
    last_rejected: LastRejected | None = None
    """The last request that was not accepted."""


class EndpointStatus(Status):
    """What became of an endpoint: its URL, whether our side is in order, what senders do."""

    state: Literal["Idle", "Receiving", "Rejecting", "Suspended"] | None = None
    """What senders do, in one word; absent while the endpoint is not Ready."""
    url: Annotated[str, Field(max_length=2048)] | None = None
    """The URL to give to the sender."""
    requests: Requests | None = None
    """Requests in numbers; brought up to date at most once a minute."""
