"""Condition types and their reasons: the one list for the operator, the docs and the tests."""

# ruff: noqa: S105 -- words about Secrets, none of them is one

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ConditionType(StrEnum):
    """Aspects of an object's state. Ready, Reconciling and Stalled are those of kstatus
    (https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md)."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    ACCEPTED = "Accepted"
    SECRETS_RESOLVED = "SecretsResolved"
    ENDPOINTS_RESOLVED = "EndpointsResolved"
    SUBSCRIPTION_RESOLVED = "SubscriptionResolved"
    PROGRAMMED = "Programmed"
    EXPOSED = "Exposed"
    RECEIVING = "Receiving"
    DELIVERING = "Delivering"
    COMPLETE = "Complete"
    STORE_AVAILABLE = "StoreAvailable"
    SWEEP_BLOCKED = "SweepBlocked"


class Reason(StrEnum):
    """Why a condition is as it is."""

    ACCEPTED = "Accepted"
    INVALID = "Invalid"
    UNKNOWN_PROVIDER = "UnknownProvider"
    NOT_ALLOWED = "NotAllowed"
    NOT_SUPPORTED = "NotSupported"
    GATEWAY_NOT_FOUND = "GatewayNotFound"
    RESOLVED = "Resolved"
    SECRET_NOT_FOUND = "SecretNotFound"
    SECRET_KEY_NOT_FOUND = "SecretKeyNotFound"
    SECRET_UNUSABLE = "SecretUnusable"
    SECRET_NOT_ALLOWED = "SecretNotAllowed"
    SECRET_NAME_TAKEN = "SecretNameTaken"
    REQUEST_FAILED = "RequestFailed"
    INTERNAL_ERROR = "InternalError"
    ENDPOINT_NOT_FOUND = "EndpointNotFound"
    SEVERAL_GATEWAYS = "SeveralGateways"
    NO_ENDPOINTS = "NoEndpoints"
    SUBSCRIPTION_NOT_FOUND = "SubscriptionNotFound"
    PROGRAMMED = "Programmed"
    PENDING = "Pending"
    NO_PROCESS = "NoProcess"
    REFUSED = "Refused"
    EXPOSED = "Exposed"
    ROUTE_NOT_ACCEPTED = "RouteNotAccepted"
    REFS_NOT_RESOLVED = "RefsNotResolved"
    NOT_REPORTED = "NotReported"
    NO_ADDRESS = "NoAddress"
    STORE_UNAVAILABLE = "StoreUnavailable"
    STORE_IN_USE = "StoreInUse"
    AVAILABLE = "Available"
    IDLE = "Idle"
    RECEIVING = "Receiving"
    REJECTING = "Rejecting"
    SUSPENDED = "Suspended"
    DELIVERING = "Delivering"
    TARGET_FAILING = "TargetFailing"
    CIRCUIT_OPEN = "CircuitOpen"
    DISABLED = "Disabled"
    RUNNING = "Running"
    COMPLETE = "Complete"
    CANCELLED = "Cancelled"
    TOO_MANY_DELETIONS = "TooManyDeletions"


REASONS: Final[Mapping[Reason, str]] = {
    Reason.ACCEPTED: "the spec is valid and all it refers to may be used",
    Reason.INVALID: "the message names the field and what would be right",
    Reason.UNKNOWN_PROVIDER: "no preset has this name; the message lists those that exist",
    Reason.NOT_ALLOWED: "the gateway does not admit this namespace or this target",
    Reason.NOT_SUPPORTED: "this version or this gateway cannot do what the spec asks for",
    Reason.GATEWAY_NOT_FOUND: "there is no such gateway",
    Reason.RESOLVED: "everything that is referred to was found",
    Reason.SECRET_NOT_FOUND: "a Secret is not there",
    Reason.SECRET_KEY_NOT_FOUND: "a Secret lacks a key; the message lists those that it has",
    Reason.SECRET_UNUSABLE: "a value is empty or not in the form that is needed",
    Reason.SECRET_NOT_ALLOWED: "Secrets of this type, or this one, cannot be referred to",
    Reason.SECRET_NAME_TAKEN: "a Secret to be generated exists already and is not ours",
    Reason.REQUEST_FAILED: "the API server refused a request of the operator, or did not answer; "
    "the message says which. It is tried again, and what was in force stays so",
    Reason.INTERNAL_ERROR: "a fault of Hookplane's own; what was in force stays so",
    Reason.ENDPOINT_NOT_FOUND: "an endpoint of endpointRefs is not there",
    Reason.SEVERAL_GATEWAYS: "the endpoints are not all on the subscription's gateway",
    Reason.NO_ENDPOINTS: "the selector matches no endpoint yet",
    Reason.SUBSCRIPTION_NOT_FOUND: "the subscription is not there",
    Reason.PROGRAMMED: "every ready process has applied this generation",
    Reason.PENDING: "not every ready process has applied this generation yet",
    Reason.NO_PROCESS: "no process of the role is alive",
    Reason.REFUSED: "a process could not apply this generation; the message says why",
    Reason.EXPOSED: "every Gateway has accepted the route, or the Ingress has an address",
    Reason.ROUTE_NOT_ACCEPTED: "a Gateway refuses the route; the message has its words",
    Reason.REFS_NOT_RESOLVED: "a Gateway cannot send to the receiver's Service; the message has "
    "its words",
    Reason.NOT_REPORTED: "no controller has said anything about this generation of the route",
    Reason.NO_ADDRESS: "the Ingress has no address so far; some controllers never publish one",
    Reason.STORE_UNAVAILABLE: "the store does not answer",
    Reason.STORE_IN_USE: "the database belongs to another gateway",
    Reason.AVAILABLE: "the store answers and belongs to this gateway",
    Reason.IDLE: "nothing happened for five minutes",
    Reason.RECEIVING: "requests are accepted",
    Reason.REJECTING: "the last requests were not accepted; the message says why and from where",
    Reason.SUSPENDED: "spec.suspend is true",
    Reason.DELIVERING: "deliveries succeed",
    Reason.TARGET_FAILING: "deliveries fail; the message says how and when the next try is",
    Reason.CIRCUIT_OPEN: "so many attempts failed in a row that only probes are sent",
    Reason.DISABLED: "no success for disableAfter, or an answer 410; events are kept",
    Reason.RUNNING: "the job is under way",
    Reason.COMPLETE: "all events that matched were delivered or failed",
    Reason.CANCELLED: "the job ended early",
    Reason.TOO_MANY_DELETIONS: "so many objects are gone at once that nothing is removed from the "
    "store until it is confirmed",
}
"""What each reason means, for people."""

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
        "SubscriptionResolved, StoreAvailable and Programmed that the kind has are True, and so is "
        "Exposed of a gateway with a route. What senders and targets do never changes it.",
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
        (Reason.AVAILABLE, Reason.STORE_UNAVAILABLE, Reason.STORE_IN_USE),
    ),
    ConditionInfo(
        ConditionType.PROGRAMMED,
        ALL,
        "At least one process of the role is alive, and every one that is ready has applied this "
        "generation.",
        PROGRAMMING,
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
            Reason.TARGET_FAILING,
            Reason.CIRCUIT_OPEN,
            Reason.DISABLED,
            Reason.SUSPENDED,
        ),
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
        "More objects are gone than is plausible, so their rows stay in the store. Only there "
        "while it is True.",
        (Reason.TOO_MANY_DELETIONS,),
    ),
)
"""In the order in which people should read them."""
