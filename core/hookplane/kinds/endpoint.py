"""WebhookEndpoint: one inbound URL."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from hookplane.kinds.base import (
    BY_NAME,
    CIDR,
    BodyPath,
    Duration,
    GatewayRef,
    HeaderName,
    NamedValue,
    ObjectMeta,
    Rate,
    Rotation,
    Rule,
    SecretValue,
    SignedContent,
    Size,
    Spec,
    Time,
    check_unique_names,
    rule_check,
    unique_names_rule,
)
from hookplane.kinds.status import Count, ShortText, Status
from hookplane.network.credentials import SURE_PATTERN, is_surely_credential
from hookplane.network.headers import CONNECTION_HEADERS
from hookplane.units import parse_duration, parse_size

PROVIDER_PATTERN: Final = r"^[A-Z][A-Za-z0-9]{0,39}$"
ProviderName = Annotated[str, StringConstraints(pattern=PROVIDER_PATTERN, max_length=40)]
GENERIC = "Generic"

Keys = Annotated[list[SecretValue], Field(min_length=1, max_length=8)]
MAX_BODY_SIZE: Final = 32 << 20
"""Bytes. What one request may have at most, whatever an endpoint asks for."""


def keys_rule(field: str) -> Rule:
    """The CEL side of `check_keys`."""
    return Rule(
        rule=f"!has(self.{field}) || self.{field}.exists(k, !has(k.secretKeyRef.optional) || "
        "!k.secretKeyRef.optional)",
        message=f"at least one of {field} must not be optional",
    )


KEYS_RULE: Final = keys_rule("keys")


def check_keys(keys: list[SecretValue] | None, rule: Rule = KEYS_RULE) -> None:
    """The Python side of `keys_rule`."""
    rule_check(keys is None or any(not key.secret_key_ref.optional for key in keys), rule.message)


STORED_HEADER_RULES: Final = (
    Rule(
        rule=f"!self.lowerAscii().matches('{SURE_PATTERN}')",
        message="looks like a credential, which is never stored; take it off the list",
    ),
    Rule(
        rule=f"!(self.lowerAscii() in {sorted(CONNECTION_HEADERS)})",
        message="belongs to the connection and not to what is sent, so it is never stored; take "
        "it off the list",
    ),
    Rule(rule="!self.contains('*')", message="is one name and no pattern; name each header"),
)


def _check_stored(name: str) -> str:
    """The Python side of STORED_HEADER_RULES."""
    lower = name.lower()
    refused = (is_surely_credential(lower), lower in CONNECTION_HEADERS, "*" in lower)
    for rule, broken in zip(STORED_HEADER_RULES, refused, strict=True):
        rule_check(not broken, rule.message)
    return name


StoredHeaderName = Annotated[
    HeaderName,
    AfterValidator(_check_stored),
    Field(
        json_schema_extra={
            "x-kubernetes-validations": [rule.model_dump() for rule in STORED_HEADER_RULES]
        }
    ),
]
"""A header that is stored with an event because its endpoint's spec says so. Which ones it must not
be besides, depends on what else the endpoint reads."""


class TimestampSource(Spec):
    """Where the signed time of a request is, and how old it may be."""

    header: HeaderName | None = None
    """Header that carries it; absent when it is an element of the signature header."""
    unit: Literal["Seconds", "Milliseconds", "RFC3339"] = "Seconds"
    """How it is written."""
    tolerance: Duration = "5m"
    """A request is refused when its time is further away than this, in either direction."""

    RULES = (
        Rule(
            rule="duration(self.tolerance) > duration('0s')",
            message="tolerance must be longer than 0s",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        rule_check(parse_duration(self.tolerance) > 0, self.RULES[0].message)


class SignatureSpec(Spec):
    """How requests are signed, on the axes that all known providers differ in."""

    header: HeaderName
    """Header with the signature."""
    prefix: Annotated[str, Field(max_length=64)] = ""
    """Text in front of the signature, such as `sha256=`."""
    layout: Literal["Bare", "KeyValue", "Versioned"] = "Bare"
    """Bare: the value is the signature. KeyValue: `t=…,v1=…`. Versioned: `v1,… v1,…`."""
    signature_key: Annotated[str, Field(min_length=1, max_length=32)] = "v1"
    """Name (KeyValue) or version (Versioned) of the elements that are signatures."""
    timestamp_key: Annotated[str, Field(min_length=1, max_length=32)] = "t"
    """Name of the element (KeyValue) with the time, when `timestamp.header` is absent."""
    separator: Literal[",", ";", " "] = ","
    """What separates the elements of a KeyValue header."""
    algorithm: Literal[
        "HMAC-SHA1",
        "HMAC-SHA256",
        "HMAC-SHA384",
        "HMAC-SHA512",
        "Ed25519",
        "ECDSA-P256-SHA256",
        "RSA-SHA256",
        "Equality",
    ] = "HMAC-SHA256"
    """How the signature is computed; Equality compares the header with the key itself."""
    encoding: Literal["Hex", "Base64"] = "Hex"
    """How the signature is written."""
    key_encoding: Literal["UTF8", "Hex", "Base64", "PEM"] = "UTF8"
    """How the key is written in the Secret."""
    key_prefix: Annotated[str, Field(max_length=32)] = ""
    """Text in front of the key that does not belong to it, such as `whsec_`."""
    content: SignedContent = "{body}"
    """What is signed: literal text with {id} {timestamp} {method} {url} {body}."""
    id_header: HeaderName | None = None
    """Header that {id} stands for."""
    timestamp: TimestampSource | None = None
    """Where {timestamp} comes from; absent: requests carry no signed time."""

    RULES = (
        Rule(
            rule="!has(self.timestamp) || self.algorithm == 'Equality' || "
            "self.content.contains('{timestamp}')",
            message="content must contain {timestamp} when timestamp is set: an unsigned time "
            "proves nothing",
        ),
        Rule(
            rule="!self.content.contains('{timestamp}') || has(self.timestamp)",
            message="content has {timestamp}, so timestamp must say where it comes from",
        ),
        Rule(
            rule="!self.content.contains('{id}') || has(self.idHeader)",
            message="content has {id}, so idHeader must say where it comes from",
        ),
        Rule(
            rule="self.algorithm == 'Equality' || self.content.contains('{body}')",
            message="content must contain {body}: else anyone may change the body",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        equality = self.algorithm == "Equality"
        timed, identified = "{timestamp}" in self.content, "{id}" in self.content
        rule_check(self.timestamp is None or equality or timed, self.RULES[0].message)
        rule_check(not timed or self.timestamp is not None, self.RULES[1].message)
        rule_check(not identified or self.id_header is not None, self.RULES[2].message)
        rule_check(equality or "{body}" in self.content, self.RULES[3].message)


class ApiKeySpec(Spec):
    """A header must carry one of these keys."""

    header: HeaderName = "X-API-Key"
    """The header."""
    keys: Keys
    """Any of these is accepted."""

    RULES = (KEYS_RULE,)

    def model_post_init(self, _: Any) -> None:
        check_keys(self.keys)


class BasicSpec(Spec):
    """HTTP basic authentication (RFC 7617)."""

    username: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^:]+$")]
    """The user name."""
    passwords: Keys
    """Any of these is accepted."""

    RULES = (keys_rule("passwords"),)

    def model_post_init(self, _: Any) -> None:
        check_keys(self.passwords, self.RULES[0])


class BearerSpec(Spec):
    """`Authorization: Bearer` (RFC 6750)."""

    tokens: Keys
    """Any of these is accepted."""

    RULES = (keys_rule("tokens"),)

    def model_post_init(self, _: Any) -> None:
        check_keys(self.tokens, self.RULES[0])


class ClientCertificateSpec(Spec):
    """The client must show a certificate that is for clients; only where the receiver itself ends
    TLS. There are no lists of revoked ones: a certificate that is not to get in any more ends, or
    `subjects` or `ca` changes."""

    ca: SecretValue
    """PEM certificates of the authorities that may have issued it, roots or intermediates."""
    subjects: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=32)
    ] = []
    """Accepted subjects, whole and as RFC 4514 writes them, such as
    `CN=erp.partner.example,O=Partner`; empty: any that the CA issued."""


class Verification(Spec):
    """Who may send. Every layer that is set must pass."""

    keys: Keys | None = None
    """Signing keys; any that matches accepts, so that keys can be rotated without a gap. Absent:
    one is generated for providers whose key is ours to choose."""
    rotation: Rotation | None = None
    """Schedule for a generated key."""
    parameters: Annotated[list[NamedValue], Field(max_length=16, json_schema_extra=BY_NAME)] = []
    """What a provider needs besides keys, such as Meta's `verifyToken`."""
    signature: SignatureSpec | None = None
    """How requests are signed; only with provider Generic."""
    handshake: (
        Literal["MetaChallenge", "SlackChallenge", "DiscordPing", "CloudEventsOptions"] | None
    ) = None
    """How the sender asks for consent before it sends; only with provider Generic."""
    api_key: ApiKeySpec | None = None
    """A key in a header."""
    basic: BasicSpec | None = None
    """HTTP basic authentication."""
    bearer: BearerSpec | None = None
    """A bearer token."""
    client_certificate: ClientCertificateSpec | None = None
    """A certificate of the client's (mutual TLS)."""
    sources: Annotated[list[CIDR], Field(max_length=64)] = []
    """Address ranges that requests may come from; empty: any."""

    RULES = (
        KEYS_RULE,
        Rule(
            rule="!(has(self.keys) && has(self.rotation))",
            message="rotation is for generated keys; remove keys or rotation",
        ),
        unique_names_rule("parameters"),
    )

    def model_post_init(self, _: Any) -> None:
        check_keys(self.keys)
        rule_check(self.keys is None or self.rotation is None, self.RULES[1].message)
        check_unique_names(self.parameters, self.RULES[2])


class EventType(Spec):
    """Where the type of an event is."""

    header: HeaderName | None = None
    """A header's value."""
    body_path: BodyPath | None = None
    """A member of the JSON body, by the names that lead to it: `message.id`, `items.0.id`."""
    value: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """The same for all."""

    RULES = (
        Rule(
            rule="[has(self.header), has(self.bodyPath), has(self.value)].exists_one(x, x)",
            message="set exactly one of header, bodyPath and value",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        given = [self.header, self.body_path, self.value]
        rule_check(sum(x is not None for x in given) == 1, self.RULES[0].message)


class KeyPart(Spec):
    """Where one part of a key is."""

    header: HeaderName | None = None
    """A header's value."""
    body_path: BodyPath | None = None
    """A member of the JSON body, by the names that lead to it: `message.id`, `items.0.id`."""

    RULES = (
        Rule(
            rule="has(self.header) != has(self.bodyPath)",
            message="set exactly one of header and bodyPath",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        rule_check((self.header is None) != (self.body_path is None), self.RULES[0].message)


class EventKey(KeyPart):
    """Where it stands in a request what its event is about."""


class DeduplicationKey(Spec):
    """Where the key is that makes a request the same as an earlier one. A request without it, or
    without one of its parts, is an event of its own."""

    header: HeaderName | None = None
    """A header's value."""
    body_path: BodyPath | None = None
    """A member of the JSON body, by the names that lead to it: `message.id`, `items.0.id`."""
    parts: Annotated[list[KeyPart], Field(min_length=1, max_length=8)] | None = None
    """Several values, which together are the key, such as `source` and `id` of a CloudEvent."""

    RULES = (
        Rule(
            rule="[has(self.header), has(self.bodyPath), has(self.parts)].exists_one(x, x)",
            message="set exactly one of header, bodyPath and parts",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        given = [self.header, self.body_path, self.parts]
        rule_check(sum(x is not None for x in given) == 1, self.RULES[0].message)


class Deduplication(Spec):
    """A request whose key was seen within the window is answered and not stored again."""

    key: DeduplicationKey | None = None
    """Default: what the provider's requests have."""
    window: Duration = "24h"
    """How long a key is remembered, by the clock of the store."""


class EndpointLimits(Spec):
    """What one endpoint takes."""

    max_body_size: Size | None = None
    """Larger requests are answered 413. At most 32Mi; absent: what the provider sends at most, else
    1Mi."""
    rate: Rate | None = None
    """More requests are answered 429. What is verified counts; before that each address, or /64 of
    IPv6, has as much for itself, so that strangers use up nobody else's."""

    RULES = (
        Rule(
            rule="!has(self.maxBodySize) || "
            "quantity(self.maxBodySize).compareTo(quantity('32Mi')) <= 0",
            message="maxBodySize is at most 32Mi",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        size = self.max_body_size
        rule_check(size is None or parse_size(size) <= MAX_BODY_SIZE, self.RULES[0].message)


class EndpointResponse(Spec):
    """The answer to an accepted request; default: what the provider wants to see."""

    status: Annotated[int, Field(ge=200, le=299)] = 200
    """Status code."""
    content_type: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\r\n]+$")] = (
        "application/json"
    )
    """Content-Type of the body."""
    body: Annotated[str, Field(max_length=4096)] = ""
    """The body. {event.id} stands for the event's id."""


class EndpointSpec(Spec):
    """What an endpoint receives and whom it trusts."""

    gateway_ref: GatewayRef | None = None
    """The gateway that serves it; default: the operator's default gateway. Immutable."""
    provider: ProviderName = "StandardWebhooks"
    """Who sends: a provider's name, StandardWebhooks, or Generic with `verification` set."""
    verification: Verification = Verification()
    """Who may send."""
    event_type: EventType | None = None
    """Where the type of an event is; default: what the provider's requests have."""
    key: EventKey | None = None
    """Where it stands what an event is about, such as a customer, an order or a conversation: a
    text, a number or a truth value, of at most 256 printable characters. It is read once, when the
    event is received; an event that has none there is accepted without a key. Subscriptions choose
    by it (`filter.keys`). Not the key of `deduplication`."""
    deduplication: Deduplication = Deduplication()
    """What makes a request the same as an earlier one."""
    store_headers: Annotated[list[StoredHeaderName], Field(max_length=32)] = []
    """Headers of a request that are stored with its event, besides those that say what the body is
    (Content-Type …), the ids of a request, what providers say of an event (X-GitHub-Event, ce-* …)
    and what type and keys are read from. Only what is stored can be read by expressions and sent on
    by `forwardHeaders`. Whole names, no wildcards; nothing that looks like a credential."""
    limits: EndpointLimits = EndpointLimits()
    """What the endpoint takes."""
    response: EndpointResponse | None = None
    """The answer to an accepted request."""
    suspend: bool = False
    """When true, requests are answered 503 with Retry-After and nothing is stored."""

    RULES = (
        Rule(
            rule="self.provider != 'Generic' || (has(self.verification) && "
            "(has(self.verification.signature) || has(self.verification.apiKey) || "
            "has(self.verification.basic) || has(self.verification.bearer) || "
            "has(self.verification.clientCertificate)))",
            message="provider Generic needs verification.signature, apiKey, basic, bearer or "
            "clientCertificate",
        ),
        Rule(
            rule="self.provider == 'Generic' || !has(self.verification) || "
            "(!has(self.verification.signature) && !has(self.verification.handshake))",
            message="verification.signature and handshake are only for provider Generic; a "
            "provider by name knows its own",
        ),
        Rule(
            rule="has(self.gatewayRef) == has(oldSelf.gatewayRef) && "
            "(!has(self.gatewayRef) || self.gatewayRef == oldSelf.gatewayRef)",
            message="gatewayRef is immutable",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        own = self.verification
        layers = [own.signature, own.api_key, own.basic, own.bearer, own.client_certificate]
        rule_check(
            self.provider != GENERIC or any(x is not None for x in layers), self.RULES[0].message
        )
        rule_check(
            self.provider == GENERIC or (own.signature is None and own.handshake is None),
            self.RULES[1].message,
        )


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
    """Requests with a known deduplication key and another body. Accepted where a provider's repeats
    are always the same bytes; elsewhere they count as duplicates, and the first one was kept."""
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


class WebhookEndpoint(BaseModel):
    """One inbound URL: who may send to it, and what is stored."""

    metadata: ObjectMeta
    spec: EndpointSpec
