"""What all kinds are made of: the model base, field types, references, object metadata."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv6Network, ip_network
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from hookplane.errors import InvalidValue
from hookplane.units import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    parse_duration,
    parse_size,
    parse_time,
)

GROUP: Final = "hookplane.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
CATEGORY: Final = "webhooks"

_ACRONYMS: Final = {"id": "ID", "url": "URL", "cidrs": "CIDRs", "dsn": "DSN", "cpu": "CPU"}


def field_name(python_name: str) -> str:
    """`token_url` → `tokenURL`: camel case with the acronyms that the Kubernetes API spells out."""
    first, *rest = python_name.split("_")
    return first + "".join(_ACRONYMS.get(word, word.capitalize()) for word in rest)


class Spec(BaseModel):
    """Base of everything inside a manifest: frozen, camel case outside, unknown fields refused."""

    model_config = ConfigDict(
        alias_generator=field_name,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    RULES: ClassVar[tuple[Rule, ...]] = ()
    """CEL rules that the API server enforces; the model's validators say the same in Python."""


class Rule(BaseModel):
    """One `x-kubernetes-validations` entry."""

    model_config = ConfigDict(frozen=True)

    rule: str
    message: str


def rule_check(ok: bool, message: str) -> None:
    """For model validators: raise with the same message that the CEL rule carries."""
    if not ok:
        raise ValueError(message)


def check_time(text: str) -> None:
    """Raises InvalidValue unless it is an RFC 3339 time as the API server wants it written."""
    if not _TIME.fullmatch(text):
        raise InvalidValue(f'"{text}" is not a time; write it like 2026-11-21T00:00:00Z')
    parse_time(text)


def _check_cidr(text: str) -> None:
    """isCIDR in Python: no netmasks, zones or IPv4-mapped ranges; host bits may be set."""
    try:
        network = ip_network(text, strict=False) if _CIDR.fullmatch(text) else None
    except ValueError:
        network = None
    mapped = isinstance(network, IPv6Network) and network.network_address.ipv4_mapped
    if network is None or mapped:
        raise InvalidValue(CIDR_RULE.message)


def _check_signed_content(text: str) -> None:
    for name in SIGNED_PARTS:
        text = text.replace(f"{{{name}}}", "")
    if _PLACEHOLDER.search(text):
        raise InvalidValue(SIGNED_CONTENT_RULE.message)


def _check_keys(values: dict[str, str]) -> dict[str, str]:
    """The Python side of QUALIFIED_KEYS_RULE."""
    good = all(len(x) <= MAX_QUALIFIED_NAME and _QUALIFIED_NAME.fullmatch(x) for x in values)
    rule_check(good, QUALIFIED_KEYS_RULE.message)
    return values


def _checked(parse: Callable[[str], object]) -> AfterValidator:
    def check(text: str) -> str:
        try:
            parse(text)
        except InvalidValue as error:
            raise ValueError(str(error)) from error
        return text

    return AfterValidator(check)


TIME_PATTERN: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})$"
)
_TIME: Final = re.compile(TIME_PATTERN)
CIDR_PATTERN: Final = r"^[0-9A-Fa-f.:]+/(0|[1-9][0-9]{0,2})$"
_CIDR: Final = re.compile(CIDR_PATTERN)
CIDR_RULE: Final = Rule(
    rule="isCIDR(self)",
    message="not an address range; write it like 203.0.113.0/24 or 2001:db8::/32",
)
SIGNED_PARTS: Final = ("id", "timestamp", "method", "url", "body")
"""What may stand in braces in the text that is signed."""
_PLACEHOLDER: Final = re.compile(r"\{[A-Za-z_]+\}")
QUALIFIED_NAME_PATTERN: Final = (
    "^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
)
"""A key of labels or annotations
(https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set)."""
_QUALIFIED_NAME: Final = re.compile(QUALIFIED_NAME_PATTERN)
MAX_QUALIFIED_NAME: Final = 317
"""Characters: a prefix of 253, the slash and a name of 63."""
LABEL_VALUE_PATTERN: Final = "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
QUALIFIED_KEYS_RULE: Final = Rule(
    rule=f"self.all(key, size(key) <= {MAX_QUALIFIED_NAME} && "
    f"key.matches('{QUALIFIED_NAME_PATTERN}'))",
    message="a key is a name of at most 63 letters, digits, -, _ and dots, with a prefix such as "
    "example.com/ before it or none",
)
SIGNED_CONTENT_RULE: Final = Rule(
    rule="!self"
    + "".join(f".replace('{{{name}}}', '')" for name in SIGNED_PARTS)
    + r".matches('\\{[A-Za-z_]+\\}')",
    message="what stands in braces must be one of "
    + ", ".join(f"{{{name}}}" for name in SIGNED_PARTS),
)
NAME_RULE: Final = Rule(
    rule="size(self.metadata.name) <= 52 && !self.metadata.name.contains('.')",
    message="a name has at most 52 characters: lower-case letters, digits and hyphens, no dots",
)
"""At the root of every kind; the API server itself checks the rest of OWN_NAME_PATTERN."""

Duration = Annotated[
    str,
    _checked(parse_duration),
    Field(max_length=32, json_schema_extra={"pattern": DURATION_PATTERN}),
]
Size = Annotated[
    str, _checked(parse_size), Field(max_length=16, json_schema_extra={"pattern": SIZE_PATTERN})
]
Time = Annotated[
    str,
    _checked(check_time),
    Field(max_length=40, json_schema_extra={"format": "date-time", "pattern": TIME_PATTERN}),
]
ObjectName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=253),
]
"""A DNS-1123 name of an object that is not ours."""
SubdomainName = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        min_length=1,
        max_length=253,
    ),
]
"""The same with dots."""
SecretName = SubdomainName
SecretKeyName = Annotated[
    str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", min_length=1, max_length=253)
]
HeaderName = Annotated[
    str, StringConstraints(pattern=r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$", min_length=1, max_length=128)
]
BodyPath = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9_$@:-]+(\.[A-Za-z0-9_$@:-]+)*$", min_length=1, max_length=253
    ),
]
"""Names of JSON members, or indexes of arrays, joined by dots: `message.id`, `items.0.id`."""
CelExpression = Annotated[str, StringConstraints(min_length=1, max_length=8192)]
CIDR = Annotated[
    str,
    _checked(_check_cidr),
    Field(
        min_length=2,
        max_length=64,
        json_schema_extra={
            "pattern": CIDR_PATTERN,
            "x-kubernetes-validations": [CIDR_RULE.model_dump()],
        },
    ),
]
SignedContent = Annotated[
    str,
    _checked(_check_signed_content),
    Field(
        min_length=1,
        max_length=512,
        json_schema_extra={"x-kubernetes-validations": [SIGNED_CONTENT_RULE.model_dump()]},
    ),
]
HttpURL = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[^/@?#\s\\]+([/?][^\s]*)?$", max_length=2048),
]
"""No user name or password in front of the host: they would show up in logs and status."""

OWN_NAME_PATTERN: Final = re.compile(r"^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$")
"""Names of our kinds: they become URL paths and get suffixes, so ≤ 52 characters and no dots."""


class SecretKeyRef(Spec):
    """One key of a Secret in the same namespace."""

    name: SecretName
    """Name of the Secret."""
    key: SecretKeyName
    """Key inside the Secret's data."""
    optional: bool = False
    """When true, a missing Secret or key is passed over; among several keys one must not be
    optional."""


class SecretValue(Spec):
    """A value that is always secret and therefore only ever referenced."""

    secret_key_ref: SecretKeyRef
    """Where the value is kept."""


class NamedValue(Spec):
    """A name with a literal value or one from a Secret."""

    name: HeaderName
    """Name; unique without regard to case."""
    value: Annotated[str, Field(max_length=4096)] | None = None
    """The literal value. Exactly one of `value` and `valueFrom`."""
    value_from: SecretValue | None = None
    """The value from a Secret. Exactly one of `value` and `valueFrom`."""

    RULES = (
        Rule(
            rule="has(self.value) != has(self.valueFrom)",
            message="set exactly one of value and valueFrom",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        rule_check((self.value is None) != (self.value_from is None), self.RULES[0].message)


BY_NAME: Final[dict[str, Any]] = {
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
}
"""For `json_schema_extra` of a list whose items have unique names."""


def unique_names_rule(field: str) -> Rule:
    """The CEL side of `check_unique_names`."""
    return Rule(
        rule=f"!has(self.{field}) || self.{field}.all(a, self.{field}.exists_one(b, "
        "b.name.lowerAscii() == a.name.lowerAscii()))",
        message=f"names of {field} must be unique without regard to case",
    )


def check_unique_names(values: Sequence[NamedValue], rule: Rule) -> None:
    """The Python side of `unique_names_rule`."""
    rule_check(len({value.name.lower() for value in values}) == len(values), rule.message)


class Rate(Spec):
    """So many requests in so much time, as a token bucket."""

    requests: Annotated[int, Field(ge=1, le=1_000_000)]
    """How many requests."""
    per: Duration = "1s"
    """In how much time."""
    burst: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """How many may come at once; default: `requests`."""

    RULES = (
        Rule(
            rule="duration(self.per) > duration('0s')",
            message="per must be longer than 0s",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        rule_check(parse_duration(self.per) > 0, self.RULES[0].message)


class Rotation(Spec):
    """Generated keys are replaced on a schedule."""

    every: Duration
    """A new key is made this often."""
    overlap: Duration = "24h"
    """For this long the old key is used beside the new one."""

    RULES = (
        Rule(
            rule="duration(self.overlap) < duration(self.every)",
            message="overlap must be shorter than every",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        rule_check(parse_duration(self.overlap) < parse_duration(self.every), self.RULES[0].message)


class GatewayRef(Spec):
    """A WebhookGateway; may be in another namespace that admits this one."""

    name: ObjectName
    """Name of the gateway."""
    namespace: ObjectName | None = None
    """Namespace of the gateway; default: the operator's."""


QUALIFIED_KEYS: Final = (
    AfterValidator(_check_keys),
    Field(json_schema_extra={"x-kubernetes-validations": [QUALIFIED_KEYS_RULE.model_dump()]}),
)
"""For a map whose keys are those of labels or annotations."""
LabelValue = Annotated[str, StringConstraints(pattern=LABEL_VALUE_PATTERN, max_length=63)]


class LabelSelectorRequirement(Spec):
    """One expression of a label selector."""

    key: Annotated[
        str,
        StringConstraints(
            pattern=QUALIFIED_NAME_PATTERN, min_length=1, max_length=MAX_QUALIFIED_NAME
        ),
    ]
    """The label's key."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label is compared with `values`."""
    values: Annotated[list[LabelValue], Field(max_length=64)] = []
    """Values for In and NotIn."""

    RULES = (
        Rule(
            rule="(self.operator in ['In', 'NotIn']) == "
            "(has(self.values) && size(self.values) > 0)",
            message="In and NotIn need values, Exists and DoesNotExist have none",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        rule_check((self.operator in ("In", "NotIn")) == bool(self.values), self.RULES[0].message)


class LabelSelector(Spec):
    """Selects objects of the same namespace by their labels; empty selects all."""

    match_labels: Annotated[dict[str, LabelValue], Field(max_length=32), *QUALIFIED_KEYS] = {}
    """Every one of these labels must be there with this value."""
    match_expressions: Annotated[list[LabelSelectorRequirement], Field(max_length=32)] = []
    """Every one of these must hold."""


class ObjectMeta(BaseModel):
    """The part of an object's metadata that Hookplane looks at."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 1
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
