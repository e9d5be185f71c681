"""Condition types and their reasons: the one list for the operator, the docs and the tests.

A condition that is added goes here and into `status/` of the operator; `make generate` then brings
the reference up to date.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self


class ConditionType(StrEnum):
    """Aspects of an object's state. Ready, Reconciling and Stalled are those of kstatus
    (https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md)."""

    READY = "Ready"
    """Whether our own side is in order: the summary of the conditions that must hold."""
    RECONCILING = "Reconciling"
    """Work is under way that needs nobody's help. There only while it is True."""
    STALLED = "Stalled"
    """Only an edit of the object helps. There only while it is True."""
    ACCEPTED = "Accepted"
    """Whether the spec is valid and may use what it refers to."""
    SECRETS_RESOLVED = "SecretsResolved"
    """Whether every Secret that is needed is there and usable."""
    ENDPOINTS_RESOLVED = "EndpointsResolved"
    """Whether the endpoints of a subscription are there."""
    SUBSCRIPTION_RESOLVED = "SubscriptionResolved"
    """Whether the subscription of a replay is there."""
    PROGRAMMED = "Programmed"
    """Whether every ready process of the data plane has applied this generation."""
    EXPOSED = "Exposed"
    """Whether the HTTPRoute or the Ingress of a gateway leads to it."""
    RECEIVING = "Receiving"
    """What senders do to an endpoint. False: their requests are rejected."""
    DELIVERING = "Delivering"
    """What the target of a subscription does. False: deliveries do not succeed."""
    FILTERING = "Filtering"
    """Whether the filter of a subscription can judge its events."""
    HEADERS_MISSING = "HeadersMissing"
    """A subscription asks for headers that an endpoint of its does not store. There only while it
    is True."""
    COMPLETE = "Complete"
    """Whether a replay is done."""
    STORE_AVAILABLE = "StoreAvailable"
    """Whether the store of a gateway answers and belongs to it."""
    INFORMED = "Informed"
    """Whether the operator sees what happens in the cluster."""
    SWEEP_BLOCKED = "SweepBlocked"
    """More objects are gone than is plausible, so none is removed from the store. There only
    while it is True."""
    KEYS_LOST = "KeysLost"
    """The store held what was sealed with keys that a gateway has not any more. There only while it
    is True."""


class Reason(StrEnum):
    """Why a condition is as it is: one CamelCase word for programs."""

    meaning: str
    """What the word means, for people; the reference shows it."""

    def __new__(cls, word: str, meaning: str) -> Self:
        reason = str.__new__(cls, word)
        reason._value_ = word
        reason.meaning = meaning
        return reason

    ACCEPTED = "Accepted", "the spec is valid and all it refers to may be used"
    INVALID = "Invalid", "the message names the field and what would be right"
    UNKNOWN_PROVIDER = (
        "UnknownProvider",
        "no preset has this name; the message lists those that exist",
    )
    NOT_ALLOWED = "NotAllowed", "the gateway does not admit this namespace or this target"
    QUOTA_EXCEEDED = (
        "QuotaExceeded",
        "the namespace has as many objects of this kind in force as the gateway lets it have",
    )
    NOT_SUPPORTED = "NotSupported", "this version or this gateway cannot do what the spec asks for"
    GATEWAY_NOT_FOUND = "GatewayNotFound", "there is no such gateway"
    RESOLVED = "Resolved", "everything that is referred to was found"
    SECRET_NOT_FOUND = "SecretNotFound", "a Secret is not there"
    SECRET_KEY_NOT_FOUND = (
        "SecretKeyNotFound",
        "a Secret lacks a key; the message lists those that it has",
    )
    SECRET_UNUSABLE = "SecretUnusable", "a value is empty or not in the form that is needed"
    SECRET_NOT_ALLOWED = (
        "SecretNotAllowed",
        "Secrets of this type, or this one, cannot be referred to; the message says why",
    )
    SECRET_NAME_TAKEN = "SecretNameTaken", "a Secret to be generated exists already and is not ours"
    REQUEST_FAILED = (
        "RequestFailed",
        "the API server refused a request of the operator, or did not answer; the message says "
        "which. It is tried again, and what was in force stays so",
    )
    INTERNAL_ERROR = "InternalError", "a fault of Hookplane's own; what was in force stays so"
    ENDPOINT_NOT_FOUND = "EndpointNotFound", "an endpoint of endpointRefs is not there"
    SEVERAL_GATEWAYS = "SeveralGateways", "the endpoints are not all on the subscription's gateway"
    NO_ENDPOINTS = "NoEndpoints", "the selector matches no endpoint yet"
    SUBSCRIPTION_NOT_FOUND = "SubscriptionNotFound", "the subscription is not there"
    PROGRAMMED = "Programmed", "every ready process has applied this generation"
    PENDING = "Pending", "not every ready process has applied this generation yet"
    NO_PROCESS = "NoProcess", "no process of the role is alive"
    REFUSED = "Refused", "a process could not apply this generation; the message says why"
    CHILD_REFUSED = (
        "ChildRefused",
        "the API server refuses something that the gateway is made of, or a pod of it; the message "
        "has its words. All the rest is as it is to be, and this is tried again",
    )
    CHILD_NAME_TAKEN = (
        "ChildNameTaken",
        "an object that the gateway is to be made of exists already and is not ours; it is left "
        "alone",
    )
    EXPOSED = "Exposed", "every Gateway has accepted the route, or the Ingress has an address"
    ROUTE_NOT_ACCEPTED = (
        "RouteNotAccepted",
        "a Gateway refuses the route; the message has its words",
    )
    REFS_NOT_RESOLVED = (
        "RefsNotResolved",
        "a Gateway cannot send to the receiver's Service; the message has its words",
    )
    NOT_REPORTED = (
        "NotReported",
        "no controller has said anything about this generation of the route",
    )
    NO_ADDRESS = (
        "NoAddress",
        "the Ingress has no address so far; some controllers never publish one",
    )
    STORE_UNAVAILABLE = "StoreUnavailable", "the store does not answer"
    STORE_IN_USE = "StoreInUse", "the database belongs to another gateway"
    WRITER_REFUSED = (
        "WriterRefused",
        "the database takes another process for the operator that writes; the message says which. "
        "Two operators use it for a gateway of this name, and what is in force is one's or the "
        "other's",
    )
    AVAILABLE = "Available", "the store answers and belongs to this gateway"
    IDLE = "Idle", "nothing happened for five minutes"
    RECEIVING = "Receiving", "requests are accepted"
    REJECTING = (
        "Rejecting",
        "the last requests were not accepted; the message says why and from where",
    )
    SUSPENDED = "Suspended", "spec.suspend is true"
    DELIVERING = "Delivering", "deliveries succeed"
    TARGET_FAILING = (
        "TargetFailing",
        "deliveries fail; the message says how and when the next try is",
    )
    FILTERING = "Filtering", "the filter judged all events of the last day"
    FILTER_FAILED = (
        "FilterFailed",
        "the filter failed on events of the last day, which were left out; the message says why, "
        "and names one to look at. Mend it; the log names all of them, to be replayed by id",
    )
    EXPRESSION_HELD = (
        "ExpressionHeld",
        "the filter or the transform took too much CPU or memory again and again, or cannot be "
        "evaluated now, so what needs it waits; the message says until when",
    )
    HEADER_NOT_STORED = (
        "HeaderNotStored",
        "the message names the header, the field that asks for it and the endpoint; the endpoint's "
        "spec.storeHeaders has what is stored besides",
    )
    CIRCUIT_OPEN = "CircuitOpen", "so many attempts failed in a row that only probes are sent"
    DISABLED = "Disabled", "no success for disableAfter, or an answer 410; events are kept"
    RUNNING = "Running", "the job is under way"
    COMPLETE = "Complete", "all events that matched were delivered or failed"
    CANCELLED = "Cancelled", "the job ended early"
    WATCHING = "Watching", "every change is seen at once"
    LISTING = (
        "Listing",
        "watching a kind does not work, so lists every minute do the work; the message says why",
    )
    NOT_INFORMED = (
        "NotInformed",
        "nothing was heard of a kind for more than a minute; the message says why. What was in "
        "force stays so, and changes wait",
    )
    TOO_MANY_DELETIONS = (
        "TooManyDeletions",
        "so many objects are gone at once that nothing is removed from the store until it is "
        "confirmed",
    )
    SEALED_WITH_OTHER_KEYS = (
        "SealedWithOtherKeys",
        "the gateway's Secret of encryption keys was lost, or is another one than before; all is "
        "written again from the objects. Back it up",
    )


RESOLVING_SECRETS: Final = (
    Reason.RESOLVED,
    Reason.SECRET_NOT_FOUND,
    Reason.SECRET_KEY_NOT_FOUND,
    Reason.SECRET_UNUSABLE,
    Reason.SECRET_NOT_ALLOWED,
    Reason.SECRET_NAME_TAKEN,
    Reason.REQUEST_FAILED,
)
PROGRAMMING: Final = (
    Reason.PROGRAMMED,
    Reason.PENDING,
    Reason.NO_PROCESS,
    Reason.REFUSED,
    Reason.STORE_UNAVAILABLE,
)


@dataclass(frozen=True, slots=True)
class ConditionInfo:
    """What a condition tells, on which kinds, and for which reasons of its own. Summaries (Ready,
    Reconciling, Stalled) take the reason of the condition that decides."""

    type: ConditionType
    kinds: tuple[str, ...]
    meaning: str
    reasons: tuple[Reason, ...] = ()


GATEWAY: Final = "WebhookGateway"
ENDPOINT: Final = "WebhookEndpoint"
SUBSCRIPTION: Final = "WebhookSubscription"
REPLAY: Final = "WebhookReplay"
ALL: Final = (GATEWAY, ENDPOINT, SUBSCRIPTION, REPLAY)

CONDITIONS: Final = (
    ConditionInfo(
        ConditionType.READY,
        ALL,
        "Our side is in order: all of Accepted, SecretsResolved, EndpointsResolved, "
        "SubscriptionResolved, StoreAvailable, Programmed and Informed that the kind has are True, "
        "and so is Exposed of a gateway with a route. What senders and targets do never changes "
        "it.",
    ),
    ConditionInfo(
        ConditionType.RECONCILING,
        ALL,
        "Work is under way that needs nobody's help. Only there while it is True.",
    ),
    ConditionInfo(
        ConditionType.STALLED,
        ALL,
        "Only an edit helps. Only there while it is True.",
    ),
    ConditionInfo(
        ConditionType.ACCEPTED,
        ALL,
        "The spec is valid and what it refers to may be used.",
        (
            Reason.ACCEPTED,
            Reason.INVALID,
            Reason.UNKNOWN_PROVIDER,
            Reason.NOT_ALLOWED,
            Reason.QUOTA_EXCEEDED,
            Reason.NOT_SUPPORTED,
            Reason.GATEWAY_NOT_FOUND,
            Reason.REQUEST_FAILED,
            Reason.INTERNAL_ERROR,
        ),
    ),
    ConditionInfo(
        ConditionType.SECRETS_RESOLVED,
        (GATEWAY, ENDPOINT, SUBSCRIPTION),
        "Every Secret that is needed is there and usable.",
        RESOLVING_SECRETS,
    ),
    ConditionInfo(
        ConditionType.ENDPOINTS_RESOLVED,
        (SUBSCRIPTION,),
        "The endpoints are there. A selector that matches none is True with reason NoEndpoints.",
        (
            Reason.RESOLVED,
            Reason.ENDPOINT_NOT_FOUND,
            Reason.SEVERAL_GATEWAYS,
            Reason.NO_ENDPOINTS,
        ),
    ),
    ConditionInfo(
        ConditionType.SUBSCRIPTION_RESOLVED,
        (REPLAY,),
        "The subscription is there.",
        (Reason.RESOLVED, Reason.SUBSCRIPTION_NOT_FOUND),
    ),
    ConditionInfo(
        ConditionType.STORE_AVAILABLE,
        (GATEWAY,),
        "The store answers and is ours. While it is not True, Programmed of everything on the "
        "gateway is Unknown.",
        (
            Reason.AVAILABLE,
            Reason.STORE_UNAVAILABLE,
            Reason.STORE_IN_USE,
            Reason.WRITER_REFUSED,
        ),
    ),
    ConditionInfo(
        ConditionType.INFORMED,
        (GATEWAY,),
        "The operator sees what happens in the cluster. False: changes are not seen, and Ready is "
        "Unknown unless something else makes it False.",
        (Reason.WATCHING, Reason.LISTING, Reason.NOT_INFORMED),
    ),
    ConditionInfo(
        ConditionType.PROGRAMMED,
        ALL,
        "At least one process of the role is alive, and every one that is ready has applied this "
        "generation. Of a gateway also: everything that it is made of is as its spec says.",
        (*PROGRAMMING, Reason.CHILD_REFUSED, Reason.CHILD_NAME_TAKEN),
    ),
    ConditionInfo(
        ConditionType.EXPOSED,
        (GATEWAY,),
        "What others made of the HTTPRoute or Ingress. Only there with `receiver.route` or "
        "`receiver.ingress`. Unknown is no yes: a route that nobody has accepted keeps the gateway "
        "from being Ready; an Ingress without an address does not.",
        (
            Reason.EXPOSED,
            Reason.ROUTE_NOT_ACCEPTED,
            Reason.REFS_NOT_RESOLVED,
            Reason.NOT_REPORTED,
            Reason.NO_ADDRESS,
        ),
    ),
    ConditionInfo(
        ConditionType.RECEIVING,
        (ENDPOINT,),
        "What senders do. False: their requests are rejected.",
        (Reason.IDLE, Reason.RECEIVING, Reason.REJECTING, Reason.SUSPENDED),
    ),
    ConditionInfo(
        ConditionType.DELIVERING,
        (SUBSCRIPTION,),
        "What the target does. False: deliveries do not succeed; the message says since when, why "
        "and what comes next.",
        (
            Reason.IDLE,
            Reason.DELIVERING,
            Reason.EXPRESSION_HELD,
            Reason.TARGET_FAILING,
            Reason.CIRCUIT_OPEN,
            Reason.DISABLED,
            Reason.SUSPENDED,
        ),
    ),
    ConditionInfo(
        ConditionType.FILTERING,
        (SUBSCRIPTION,),
        "The filter can judge the events that come. False: it failed on some, which were left out. "
        "Only there with `filter.cel`; another expression begins anew.",
        (Reason.FILTERING, Reason.FILTER_FAILED),
    ),
    ConditionInfo(
        ConditionType.HEADERS_MISSING,
        (SUBSCRIPTION,),
        "A filter, a transform or `forwardHeaders` names headers that the events of an endpoint do "
        "not have, because it does not store them. Only there while it is True; all else works.",
        (Reason.HEADER_NOT_STORED,),
    ),
    ConditionInfo(
        ConditionType.COMPLETE,
        (REPLAY,),
        "The job is done.",
        (Reason.PENDING, Reason.RUNNING, Reason.COMPLETE, Reason.CANCELLED),
    ),
    ConditionInfo(
        ConditionType.SWEEP_BLOCKED,
        (GATEWAY,),
        "More objects of some namespaces are gone than is plausible, and nobody was seen deleting "
        "them, so their rows stay in the store. Only there while it is True.",
        (Reason.TOO_MANY_DELETIONS,),
    ),
    ConditionInfo(
        ConditionType.KEYS_LOST,
        (GATEWAY,),
        "Documents in the store were sealed with keys that the gateway has not any more, so they "
        "are written again from their objects. Only there while it is True: until the database is "
        "opened again, such as when the operator starts or another replica leads.",
        (Reason.SEALED_WITH_OTHER_KEYS,),
    ),
)
"""In the order in which people should read them."""
