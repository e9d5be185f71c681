"""WebhookSubscription: which events go where, and how."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from hookplane.kinds.base import (
    BY_NAME,
    TIME_PATTERN,
    CelExpression,
    Duration,
    GatewayRef,
    HeaderName,
    HttpURL,
    LabelSelector,
    NamedValue,
    ObjectMeta,
    ObjectName,
    Rate,
    Rotation,
    Rule,
    SecretName,
    SecretValue,
    SignedContent,
    Spec,
    Time,
    check_time,
    check_unique_names,
    rule_check,
    unique_names_rule,
)
from hookplane.kinds.endpoint import KEYS_RULE, Keys, check_keys
from hookplane.kinds.status import (
    MAX_RECENT_FAILURES,
    Attempts,
    Count,
    EventID,
    EventTypeName,
    ShortText,
    Status,
    StatusCode,
)
from hookplane.network.headers import CONNECTION_HEADER_NAMES, CONNECTION_HEADERS
from hookplane.units import parse_duration

DEFAULT_SCHEDULE: Final = ["5s", "5m", "30m", "2h", "5h", "10h", "14h", "20h", "24h"]
"""https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
RESERVED_PREFIXES: Final = ("webhook-", "hookplane-")
RESERVED_NAMES: Final = f"{', '.join(CONNECTION_HEADER_NAMES)}, webhook-* or hookplane-*"
HIDDEN_HOST: Final = "(Secret)"
"""What is shown of a target whose URL is a Secret."""

StartFrom = Annotated[
    str,
    Field(
        max_length=40,
        json_schema_extra={"pattern": f"^(Latest|Earliest|{TIME_PATTERN.strip('^$')})$"},
    ),
]
TypePattern = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_./:*-]+$", min_length=1, max_length=128)
]
KeyPattern = Annotated[str, StringConstraints(pattern=r"^\S(.*\S)?$", min_length=1, max_length=256)]


def _not_reserved(name: str) -> str:
    """CEL over an expression that gives a header's name; in Python: `is_reserved_header`."""
    lower = f"{name}.lowerAscii()"
    prefixes = [f"!{lower}.startsWith('{prefix}')" for prefix in RESERVED_PREFIXES]
    return " && ".join([*prefixes, f"!({lower} in {sorted(CONNECTION_HEADERS)})"])


class LocalName(Spec):
    """An object of the same namespace."""

    name: ObjectName
    """Its name."""


def _each_name_once(references: list[LocalName]) -> list[LocalName]:
    """What the API server does for lists with `BY_NAME`, in its words."""
    seen: set[str] = set()
    for reference in references:
        rule_check(reference.name not in seen, f'Duplicate value: {{"name":"{reference.name}"}}')
        seen.add(reference.name)
    return references


EndpointRefs = Annotated[
    list[LocalName],
    AfterValidator(_each_name_once),
    Field(min_length=1, max_length=64, json_schema_extra=BY_NAME),
]


class Filter(Spec):
    """Which events are delivered: all parts must let one through."""

    types: Annotated[list[TypePattern], Field(max_length=64)] = []
    """Event types; `*` stands for any text. Empty: all."""
    keys: Annotated[list[KeyPattern], Field(max_length=256)] = []
    """Keys of events, which their endpoint's `key` says where to find; `*` stands for any text.
    Empty: all, also events without a key; else those have none of these. Replays keep to them,
    too."""
    cel: CelExpression | None = None
    """A CEL expression over `event` (id, type, key, endpoint, receivedTime, headers, body) that
    gives a bool."""


class Transform(Spec):
    """What is sent instead of the body as it was received."""

    cel: CelExpression | None = None
    """A CEL expression over `event`; its value is sent as JSON."""
    cloud_events: Literal["Binary", "Structured"] | None = None
    """Sent as a CloudEvent 1.0 (https://github.com/cloudevents/spec)."""

    RULES = (
        Rule(
            rule="has(self.cel) != has(self.cloudEvents)",
            message="set exactly one of cel and cloudEvents",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        rule_check((self.cel is None) != (self.cloud_events is None), self.RULES[0].message)


class ServiceRef(Spec):
    """A Service of the same namespace."""

    name: ObjectName
    """Name of the Service."""
    port: Annotated[int, Field(ge=1, le=65535)] = 80
    """Port of the Service."""
    path: Annotated[str, StringConstraints(pattern=r"^/[^\s#]*$", max_length=1024)] = "/"
    """Path of the request."""
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    """How the Service is spoken to."""


class OAuth2(Spec):
    """Client credentials grant (RFC 6749 §4.4)."""

    token_url: HttpURL
    """Where tokens are asked for."""
    client_id: Annotated[str, Field(min_length=1, max_length=256)]
    """The client's id."""
    client_secret: SecretValue
    """The client's secret."""
    scopes: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=128)]], Field(max_length=32)
    ] = []
    """Scopes to ask for."""


class TargetBasic(Spec):
    """HTTP basic authentication (RFC 7617)."""

    username: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^:]+$")]
    """The user name."""
    password: SecretValue
    """The password."""


class TargetBearer(Spec):
    """`Authorization: Bearer` (RFC 6750)."""

    token: SecretValue
    """The token."""


class TargetAuthentication(Spec):
    """How we show the target who we are, besides the signature."""

    oauth2: OAuth2 | None = None
    """A token from an authorization server."""
    basic: TargetBasic | None = None
    """User name and password."""
    bearer: TargetBearer | None = None
    """A fixed token."""

    RULES = (
        Rule(
            rule="[has(self.oauth2), has(self.basic), has(self.bearer)].exists_one(x, x)",
            message="set exactly one of oauth2, basic and bearer",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        given = [self.oauth2, self.basic, self.bearer]
        rule_check(sum(x is not None for x in given) == 1, self.RULES[0].message)


class SecretNameRef(Spec):
    """A Secret of the same namespace."""

    name: SecretName
    """Its name."""


class TargetTLS(Spec):
    """TLS towards the target."""

    ca: SecretValue | None = None
    """PEM certificates to trust instead of the system's."""
    client_certificate_ref: SecretNameRef | None = None
    """A kubernetes.io/tls Secret with the certificate that we show."""


class Target(Spec):
    """Where events are sent."""

    url: HttpURL | None = None
    """The URL."""
    url_from: SecretValue | None = None
    """The URL, where it is a secret itself."""
    service_ref: ServiceRef | None = None
    """A Service of the same namespace. Its cluster IPs need no `allowedCIDRs` of the gateway; where
    it is headless, the addresses of its pods do."""
    headers: Annotated[list[NamedValue], Field(max_length=32, json_schema_extra=BY_NAME)] = []
    """Headers to send; not Host, Content-Length, webhook-* and the like."""
    forward_headers: Annotated[list[HeaderName], Field(max_length=32)] = []
    """Headers of the request that was received, to be sent on. Content-Type, Content-Encoding and
    those by which providers say what an event is (X-GitHub-Event, ce-* …) are sent anyway. What the
    endpoint does not store (`storeHeaders`) is not there to be sent, as credentials never are."""
    authentication: TargetAuthentication | None = None
    """How we show the target who we are."""
    timeout: Duration = "15s"
    """Time for one attempt from looking up the address to the end of the answer; 1s to 60s."""
    tls: TargetTLS | None = None
    """TLS towards the target."""
    keep_answers: bool = True
    """Whether the first 1,024 bytes of each answer are kept with the attempt. Secrets that were
    sent are masked in them; false: nothing of an answer is kept but its status."""

    RULES = (
        Rule(
            rule="[has(self.url), has(self.urlFrom), has(self.serviceRef)].exists_one(x, x)",
            message="set exactly one of url, urlFrom and serviceRef",
        ),
        Rule(
            rule=f"!has(self.headers) || self.headers.all(h, {_not_reserved('h.name')})",
            message=f"headers may not set {RESERVED_NAMES}",
        ),
        unique_names_rule("headers"),
        Rule(
            rule=f"!has(self.forwardHeaders) || self.forwardHeaders.all(h, {_not_reserved('h')})",
            message=f"forwardHeaders may not name {RESERVED_NAMES}",
        ),
        Rule(
            rule="duration(self.timeout) >= duration('1s') && "
            "duration(self.timeout) <= duration('60s')",
            message="timeout must be from 1s to 60s",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        given = [self.url, self.url_from, self.service_ref]
        names = [header.name.lower() for header in self.headers]
        rule_check(sum(x is not None for x in given) == 1, self.RULES[0].message)
        rule_check(not any(map(is_reserved_header, names)), self.RULES[1].message)
        check_unique_names(self.headers, self.RULES[2])
        forwarded = [name.lower() for name in self.forward_headers]
        rule_check(not any(map(is_reserved_header, forwarded)), self.RULES[3].message)
        rule_check(1_000 <= parse_duration(self.timeout) <= 60_000, self.RULES[4].message)

    def host(self, namespace: str) -> str:
        """What a status may show of a target in this namespace: where it is as its owner wrote it,
        without path and secrets."""
        if self.service_ref is not None:
            return f"{self.service_ref.name}.{namespace}:{self.service_ref.port}"
        return HIDDEN_HOST if self.url is None else urlsplit(self.url).netloc


def is_reserved_header(name: str) -> bool:
    """Whether a header belongs to Hookplane or to HTTP itself; `name` in lower case."""
    return name in CONNECTION_HEADERS or name.startswith(RESERVED_PREFIXES)


class CustomSignature(Spec):
    """A signature in a form that an existing receiver expects."""

    header: HeaderName
    """Header for the signature."""
    prefix: Annotated[str, Field(max_length=64)] = ""
    """Text in front of the signature."""
    algorithm: Literal["HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA384", "HMAC-SHA512"] = "HMAC-SHA256"
    """How it is computed."""
    encoding: Literal["Hex", "Base64"] = "Hex"
    """How it is written."""
    content: SignedContent = "{body}"
    """What is signed: literal text with {id} {timestamp} {method} {url} {body}."""
    id_header: HeaderName | None = None
    """Header in which the event's id is sent besides webhook-id."""
    timestamp_header: HeaderName | None = None
    """Header in which the time (Unix seconds) is sent besides webhook-timestamp."""

    RULES = (
        Rule(
            rule="[self.header, has(self.idHeader) ? self.idHeader : '', "
            "has(self.timestampHeader) ? self.timestampHeader : ''].all(h, "
            f"{_not_reserved('h')})",
            message=f"header, idHeader and timestampHeader may not be {RESERVED_NAMES}",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        names = [self.header, self.id_header or "", self.timestamp_header or ""]
        rule_check(not any(is_reserved_header(n.lower()) for n in names), self.RULES[0].message)


class Signing(Spec):
    """How deliveries are signed."""

    scheme: Literal["StandardWebhooks", "StandardWebhooksEd25519", "Custom", "None"] = (
        "StandardWebhooks"
    )
    """StandardWebhooks: `v1`. StandardWebhooksEd25519: `v1a`."""
    keys: Keys | None = None
    """Every one of these signs. Absent: one is generated into `<name>-signing`."""
    rotation: Rotation | None = None
    """Schedule for a generated key."""
    custom: CustomSignature | None = None
    """The form, with scheme Custom."""

    RULES = (
        KEYS_RULE,
        Rule(
            rule="!(has(self.keys) && has(self.rotation))",
            message="rotation is for generated keys; remove keys or rotation",
        ),
        Rule(
            rule="(has(self.scheme) && self.scheme == 'Custom') == has(self.custom)",
            message="custom is set with scheme Custom, and only then",
        ),
        Rule(
            rule="!has(self.scheme) || self.scheme != 'None' || "
            "(!has(self.keys) && !has(self.rotation))",
            message="scheme None has neither keys nor rotation",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        check_keys(self.keys)
        rule_check(self.keys is None or self.rotation is None, self.RULES[1].message)
        rule_check((self.scheme == "Custom") == (self.custom is not None), self.RULES[2].message)
        unsigned = self.keys is None and self.rotation is None
        rule_check(self.scheme != "None" or unsigned, self.RULES[3].message)


class Retry(Spec):
    """When a failed delivery is tried again."""

    schedule: Annotated[list[Duration], Field(max_length=32)] = DEFAULT_SCHEDULE
    """Pauses between attempts: n pauses make n + 1 attempts. Empty: one attempt. In a cluster one
    that is shorter than 1s takes 1s. What is held back (open circuit, Retry-After, rate) until all
    pauses are over dies with fewer."""
    jitter_percent: Annotated[int, Field(ge=0, le=100)] = 10
    """Each pause is lengthened by a random part of up to this much."""


class Circuit(Spec):
    """A target that fails again and again gets one probe at a time instead of the whole stream."""

    failures: Annotated[int, Field(ge=1, le=1000)] = 10
    """So many failed attempts in a row open the circuit."""
    probe_every: Duration = "30s"
    """Pause before the first probe; it doubles after each failed probe."""
    probe_at_most_every: Duration = "5m"
    """The pause grows up to this."""

    RULES = (
        Rule(
            rule="!has(self.probeEvery) || duration(self.probeEvery) > duration('0s')",
            message="probeEvery must be longer than 0s",
        ),
        Rule(
            rule="!has(self.probeEvery) || !has(self.probeAtMostEvery) || "
            "duration(self.probeEvery) <= duration(self.probeAtMostEvery)",
            message="probeEvery must not be longer than probeAtMostEvery",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        every, at_most = map(parse_duration, (self.probe_every, self.probe_at_most_every))
        rule_check(every > 0, self.RULES[0].message)
        rule_check(every <= at_most, self.RULES[1].message)


class DeliverySpec(Spec):
    """How fast, in which order and how long."""

    max_in_flight: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Deliveries under way at once; default 16, and 1 with ordering Strict."""
    rate: Rate | None = None
    """At most so many attempts in so much time."""
    ordering: Literal["None", "Key", "Strict"] = "None"
    """Key: events of an endpoint with the same key (its `spec.key`) one after the other, different
    keys side by side; a failing event holds those with its key. Strict: for each endpoint one after
    the other; a failing event holds those behind it, but for one that failed before Strict was
    set, or before its endpoint left and joined again."""
    retry: Retry = Retry()
    """When a failed delivery is tried again."""
    circuit: Circuit = Circuit()
    """When the whole subscription pauses."""
    disable_after: Duration = "120h"
    """No success for so long, in at least 10 attempts on 2 events, disables the subscription;
    `0s`: never. Events are kept."""

    RULES = (
        Rule(
            rule="!has(self.ordering) || self.ordering != 'Strict' || !has(self.maxInFlight) || "
            "self.maxInFlight == 1",
            message="ordering Strict sends one at a time; remove maxInFlight or set it to 1",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        rule_check(
            self.ordering != "Strict" or self.max_in_flight in (None, 1), self.RULES[0].message
        )


class SubscriptionSpec(Spec):
    """Which events go where, and how."""

    gateway_ref: GatewayRef | None = None
    """The gateway that delivers; default: the operator's default gateway. Immutable."""
    endpoint_refs: EndpointRefs | None = None
    """Endpoints by name."""
    endpoint_selector: LabelSelector | None = None
    """Endpoints by label; empty: all of the namespace."""
    operational_events: bool = False
    """This namespace's own events: subscription disabled, circuit open, expression held, delivery
    dead, events missing, endpoint rejecting, quota exceeded."""
    filter: Filter = Filter()
    """Which events are delivered."""
    transform: Transform | None = None
    """What is sent instead of the body."""
    target: Target
    """Where events are sent."""
    signing: Signing = Signing()
    """How deliveries are signed."""
    delivery: DeliverySpec = DeliverySpec()
    """How fast, in which order and how long."""
    start_from: StartFrom = "Latest"
    """Where a new subscription begins: Latest, Earliest, or a time such as 2026-11-21T00:00:00Z.
    Immutable. One that is made again within 24 hours goes on where it was, whatever this says."""
    suspend: bool = False
    """When true, nothing is sent and events are kept. Setting it back to false also resumes a
    disabled subscription."""

    RULES = (
        Rule(
            rule="(has(self.endpointRefs) ? 1 : 0) + (has(self.endpointSelector) ? 1 : 0) + "
            "(has(self.operationalEvents) && self.operationalEvents ? 1 : 0) == 1",
            message="set exactly one of endpointRefs, endpointSelector and operationalEvents",
        ),
        Rule(
            rule="has(self.gatewayRef) == has(oldSelf.gatewayRef) && "
            "(!has(self.gatewayRef) || self.gatewayRef == oldSelf.gatewayRef)",
            message="gatewayRef is immutable",
        ),
        Rule(
            rule="(has(self.startFrom) ? self.startFrom : 'Latest') == "
            "(has(oldSelf.startFrom) ? oldSelf.startFrom : 'Latest')",
            message="startFrom is immutable",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        sources = [
            self.endpoint_refs is not None,
            self.endpoint_selector is not None,
            self.operational_events,
        ]
        rule_check(sum(sources) == 1, self.RULES[0].message)
        if self.start_from not in ("Latest", "Earliest"):
            check_time(self.start_from)


class LastSuccess(Spec):
    """The last delivery that succeeded."""

    time: Time
    """When the target answered."""
    event_id: EventID
    """The event."""
    status_code: StatusCode
    """The target's answer."""
    milliseconds: Count
    """How long the attempt took."""


class LastFailure(Spec):
    """The last attempt that failed."""

    time: Time
    """When it failed."""
    event_id: EventID
    """The event."""
    status_code: StatusCode | None = None
    """The target's answer; absent when there was none."""
    message: ShortText = ""
    """What went wrong."""
    attempt: Attempts
    """Which attempt for this event it was; 0: a probe."""
    next_retry_time: Time | None = None
    """When this event is tried again; absent when it is dead."""


class LastFilterError(Spec):
    """The last event that the filter could not judge."""

    time: Time
    """When the filter failed."""
    event_id: EventID
    """The event, which was left out."""
    message: ShortText = ""
    """What went wrong."""


class DeliveryStatus(Spec):
    """Deliveries in numbers, and how the target is doing."""

    delivered: Count | None = None
    """Deliveries that the target took since the subscription was created; one that a replay makes
    again counts again."""
    filtered: Count | None = None
    """Events that the filter left out since the subscription was created; one that a replay
    delivers later stays counted."""
    filter_errors: Count | None = None
    """Of those: because the filter's expression failed."""
    last_filter_error: LastFilterError | None = None
    """The last of them by this filter."""
    pending: Count | None = None
    """Events that were not tried yet, now."""
    retrying: Count | None = None
    """Events that failed and will be tried again, now."""
    dead: Count | None = None
    """Events that failed for good and wait for a replay, now."""
    expired: Count | None = None
    """Events that were not delivered when retention removed them, or when the subscription ceased
    to read their endpoint."""
    next_retry_time: Time | None = None
    """The earliest next attempt of all retrying events."""
    last_success: LastSuccess | None = None
    """The last delivery that succeeded."""
    last_failure: LastFailure | None = None
    """The last attempt that failed."""
    failing_since: Time | None = None
    """First failure after the last success; absent while deliveries succeed."""
    disabled_since: Time | None = None
    """Since when nothing is sent because there was no success for `disableAfter`, or because of an
    answer 410."""
    oldest_pending_time: Time | None = None
    """When the oldest pending event was received."""
    circuit: Literal["Closed", "Open"] | None = None
    """Open: one probe at a time goes out instead of the stream."""
    blocked_until: Time | None = None
    """Nothing is sent before: the target asked for a pause, or the next probe is not due."""
    held_until: Time | None = None
    """The filter or the transform may not run before; the condition Delivering says why."""


class RecentFailure(Spec):
    """A delivery that failed and is not done."""

    event_id: EventID
    """The event."""
    type: EventTypeName = ""
    """Type of the event."""
    state: Literal["Retrying", "Dead"]
    """Whether it will be tried again."""
    attempts: Attempts
    """How often it was tried."""
    status_code: StatusCode | None = None
    """The target's last answer; absent when there was none."""
    message: ShortText = ""
    """What went wrong last."""
    next_retry_time: Time | None = None
    """When it is tried again."""


class SubscriptionStatus(Status):
    """What became of a subscription: whether our side is in order, and what the target does."""

    state: (
        Literal["Idle", "Delivering", "Failing", "Held", "CircuitOpen", "Disabled", "Suspended"]
        | None
    ) = None
    """What the target does, in one word; absent while the subscription is not Ready."""
    target: Annotated[str, Field(max_length=320)] | None = None
    """Host of the target; `(Secret)` when its URL is one."""
    delivery: DeliveryStatus | None = None
    """Deliveries in numbers; brought up to date at most once a minute."""
    recent_failures: Annotated[list[RecentFailure], Field(max_length=MAX_RECENT_FAILURES)] = []
    """Deliveries that are not done, newest failure first."""


class WebhookSubscription(BaseModel):
    """Which events go where, and how."""

    metadata: ObjectMeta
    spec: SubscriptionSpec
