"""WebhookSubscription → SubscriptionConfig: what is accepted, refused, and not ready."""

from __future__ import annotations

import base64
import datetime
from dataclasses import replace
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from hookplane.compile.model import Absent, Options, SecretObject, Severity
from hookplane.config.base import RateLimit
from hookplane.config.subscription import CircuitConfig, OAuth2Config, RetryConfig, TransformConfig
from hookplane.kinds.conditions import Reason
from hookplane.network.addresses import OwnPlace
from hookplane.secret import Secret
from hookplane.signatures.signing import GeneratedKind, SigningScheme
from support.planes.compiled import (
    WHSEC,
    cluster,
    compiled_of,
    endpoint_text,
    generated,
    one_subscription,
    said,
    secret_text,
    subscription_text,
)

ENDPOINT = endpoint_text()
KEY = generated("a-verification")
SIGNING = generated("s-signing")
REF = "{secretKeyRef: {name: sec, key: k}}"
IN = "url: 'https://x.example/in'"


def certificate() -> tuple[str, str]:
    """A self-signed certificate and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ledger.example")])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(day)
        .not_valid_after(day + datetime.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM).decode(), private.decode()


def pem_secret(**values: str) -> str:
    """Secret `tls` of type kubernetes.io/tls; `_` in a key stands for a dot."""
    data = "".join(
        f"\n  {name.replace('_', '.')}: {base64.b64encode(text.encode()).decode()}"
        for name, text in values.items()
    )
    return (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: tls}\ntype: kubernetes.io/tls\n"
        f"data:{data}\n---\n"
    )


def test_the_smallest_subscription() -> None:
    compiled = compiled_of(ENDPOINT + subscription_text(), KEY, SIGNING)
    made = one_subscription(compiled)
    assert said(compiled) == []
    assert (made.uid, made.endpoints) == (
        "webhooksubscriptions/default/s",
        ("webhookendpoints/default/a",),
    )
    assert made.target is not None
    assert (made.target.url, made.target.host) == (Secret("https://x.example/in"), "x.example")
    assert (made.target.timeout, made.max_in_flight, made.strict) == (15_000, 16, False)
    assert made.signing.scheme is SigningScheme.STANDARD
    assert made.signing.keys == (SIGNING.data["key"],)
    assert len(made.retry.schedule) == 9
    assert made.disable_after == 432_000_000
    assert [(x.name, x.kind) for x in compiled.wanted][1] == ("s-signing", GeneratedKind.WHSEC)


def test_every_setting_arrives() -> None:
    rest = (
        "filter: {types: ['a.*', b], cel: 'event.type == \"b\"'}, "
        "transform: {cloudEvents: Binary}, startFrom: '2026-11-21T00:00:00Z', suspend: true, "
        "delivery: {maxInFlight: 4, rate: {requests: 5, per: 1m}, disableAfter: 0s, "
        "retry: {schedule: [1s, 1h30m], jitterPercent: 20}, "
        "circuit: {failures: 3, probeEvery: 1s, probeAtMostEvery: 2s}}"
    )
    target = "url: 'https://x.example', timeout: 2s, headers: [{name: X-Source, value: chat}]"
    made = one_subscription(compiled_of(ENDPOINT + subscription_text(rest, target), KEY, SIGNING))
    assert (made.types, made.filter_cel) == (("a.*", "b"), 'event.type == "b"')
    assert made.transform == TransformConfig(cloud_events="Binary")
    assert (made.start_from, made.suspended) == ("2026-11-21T00:00:00Z", True)
    assert (made.max_in_flight, made.disable_after) == (4, 0)
    assert made.rate == RateLimit(tokens=5, per=60_000, burst=5)
    assert made.retry == RetryConfig(schedule=(1_000, 5_400_000), jitter_percent=20)
    assert made.circuit == CircuitConfig(failures=3, probe_every=1_000, probe_at_most_every=2_000)
    assert made.target is not None
    assert made.target.headers == (("X-Source", Secret("chat")),)
    assert made.target.timeout == 2_000


def test_keys_are_asked_for_of_an_endpoint_that_has_them() -> None:
    """Else nothing would ever come; without them documents are as before there were any."""
    rest, target = "filter: {keys: [cus_1, 'eu/*']}", "url: 'https://x.example/in'"
    compiled = compiled_of(ENDPOINT + subscription_text(rest, target), KEY, SIGNING)
    assert one_subscription(compiled).keys == ("cus_1", "eu/*")
    assert [(x.path, x.message) for x in compiled.problems] == [
        (
            "spec.filter.keys",
            'WebhookEndpoint "a" has no spec.key, so its events have no key and none of them is '
            "delivered",
        )
    ]
    plain = one_subscription(compiled_of(ENDPOINT + subscription_text("", target), KEY, SIGNING))
    assert plain.model_dump(include={"keys"}) == {}


def test_answers_are_kept_unless_somebody_says_otherwise() -> None:
    """And a document that keeps them is written as before there was a choice."""
    target = "url: 'https://x.example/in'"
    kept, dropped = (
        one_subscription(compiled_of(ENDPOINT + subscription_text("", target + more), KEY, SIGNING))
        for more in ("", ", keepAnswers: false")
    )
    assert kept.target is not None
    assert dropped.target is not None
    assert (kept.target.keep_answers, dropped.target.keep_answers) == (True, False)
    written = [
        target.model_dump(mode="python", exclude={"url"})
        for target in (kept.target, dropped.target)
    ]
    assert ["keep_answers" in fields for fields in written] == [False, True]


ASKING = (
    "filter: {cel: \"event.headers['x-access-key'] == 'a'\"}, "
    "transform: {cel: \"event.headers['x-tenant']\"}"
)
FORWARDING = "url: 'https://x.example/in', forwardHeaders: [X-Request-Id, X-Tenant, X-JWT]"
NEVER = (
    'no event has the header "{}", because it looks like a credential; only an endpoint that reads '
    "its events' type or key from it stores it"
)
UNSTORED = (
    'the header "{}" is not stored with the events of WebhookEndpoint "a"; name it in '
    "spec.storeHeaders there"
)


def told_of_headers(text: str) -> set[tuple[str, str]]:
    compiled = compiled_of(text, KEY, SIGNING)
    assert {(x.severity, x.reason) for x in compiled.problems} <= {
        (Severity.NOTE, Reason.HEADER_NOT_STORED)
    }
    assert len(compiled.subscriptions) == 1
    return {(x.path, x.message) for x in compiled.problems}


def test_headers_that_an_endpoint_does_not_store_are_told_where_they_are_asked_for() -> None:
    assert told_of_headers(ENDPOINT + subscription_text(ASKING, FORWARDING)) == {
        ("spec.filter.cel", NEVER.format("x-access-key")),
        ("spec.transform.cel", UNSTORED.format("x-tenant")),
        ("spec.target.forwardHeaders[1]", UNSTORED.format("X-Tenant")),
        ("spec.target.forwardHeaders[2]", NEVER.format("X-JWT")),
    }


def test_headers_that_the_endpoint_names_or_reads_are_not_told() -> None:
    storing = endpoint_text(
        "{storeHeaders: [X-TENANT], eventType: {header: X-Access-Key}, key: {header: X-JWT}}"
    )
    assert told_of_headers(storing + subscription_text(ASKING, FORWARDING)) == set()


def test_which_endpoints_do_not_store_a_header_is_told_of_the_first_few() -> None:
    others = "".join(endpoint_text(name=name) for name in "bcde")
    storing = endpoint_text("{storeHeaders: [x-tenant]}")
    rest = "endpointSelector: {}, transform: {cel: \"event.headers['x-tenant']\"}"
    text = storing + others + subscription_text(rest)
    known = [generated(f"{name}-verification") for name in "abcde"]
    (problem,) = compiled_of(text, SIGNING, *known).problems
    assert 'of WebhookEndpoint "b", "c", "d", …; name it' in problem.message


def test_a_header_of_an_endpoint_that_is_not_there_is_told_if_none_could_have_it() -> None:
    compiled = compiled_of(subscription_text(ASKING), KEY, SIGNING)
    told = {(x.path, x.message) for x in compiled.problems if x.severity is Severity.NOTE}
    assert told == {("spec.filter.cel", NEVER.format("x-access-key"))}


BY = f"{IN}, authentication: "
OAUTH2 = f"{{tokenURL: 'https://x.example/t', clientID: c, clientSecret: {REF}}}"
SENT: Final = {
    "urlFrom": f"urlFrom: {REF}",
    "headers[0].valueFrom": f"{IN}, headers: [{{name: X-A, valueFrom: {REF}}}]",
    "authentication.bearer.token": f"{BY}{{bearer: {{token: {REF}}}}}",
    "authentication.basic.password": f"{BY}{{basic: {{username: u, password: {REF}}}}}",
    "authentication.oauth2.clientSecret": f"{BY}{{oauth2: {OAUTH2}}}",
    "tls.ca": f"{IN}, tls: {{ca: {REF}}}",
    "tls.clientCertificateRef": f"{IN}, tls: {{clientCertificateRef: {{name: sec}}}}",
}
"""Every way in which a target gets something of a Secret, by its field."""


@pytest.mark.parametrize("field", SENT)
def test_no_field_of_a_target_sends_a_secret_without_the_label(field: str) -> None:
    values = {"k": "https://x.example/", "tls_crt": "c", "tls_key": "k"}
    text = secret_text("sec", **values) + ENDPOINT + subscription_text("", SENT[field])
    compiled = compiled_of(text, KEY, SIGNING, options=Options(labelled_secrets=True))
    assert compiled.subscriptions == ()
    told = {(x.path, x.reason) for x in compiled.problems}
    assert told == {(f"spec.target.{field}", Reason.SECRET_NOT_ALLOWED)}
    assert 'no label hookplane.dev/allow-reference: "true"' in compiled.problems[0].message


def test_order_by_key_is_for_endpoints_whose_events_have_keys() -> None:
    """Other documents are as before there was such an order."""
    text = ENDPOINT + subscription_text("delivery: {ordering: Key, maxInFlight: 40}")
    compiled = compiled_of(text, KEY, SIGNING)
    made = one_subscription(compiled)
    assert (made.by_key, made.strict, made.max_in_flight) == (True, False, 40)
    assert [(x.path, x.message) for x in compiled.problems] == [
        (
            "spec.delivery.ordering",
            'WebhookEndpoint "a" has no spec.key, so its events have no key and they are in no '
            "order",
        )
    ]
    plain = one_subscription(compiled_of(ENDPOINT + subscription_text(""), KEY, SIGNING))
    assert plain.model_dump(include={"by_key"}) == {}


def test_strict_sends_one_at_a_time() -> None:
    text = ENDPOINT + subscription_text("delivery: {ordering: Strict}")
    made = one_subscription(compiled_of(text, KEY, SIGNING))
    assert (made.strict, made.max_in_flight) == (True, 1)


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("{}", ["a", "b", "c"]),
        ("{matchLabels: {x: '1'}}", ["a", "b"]),
        ("{matchLabels: {x: '1', 'y': '2'}}", ["b"]),
        ("{matchExpressions: [{key: x, operator: In, values: ['1', '3']}]}", ["a", "b", "c"]),
        ("{matchExpressions: [{key: x, operator: NotIn, values: ['1']}]}", ["c"]),
        ("{matchExpressions: [{key: 'y', operator: Exists}]}", ["b"]),
        ("{matchExpressions: [{key: 'y', operator: DoesNotExist}]}", ["a", "c"]),
        ("{matchExpressions: [{key: z, operator: NotIn, values: ['1']}]}", ["a", "b", "c"]),
        ("{matchLabels: {x: none}}", []),
    ],
)
def test_selectors(selector: str, selected: list[str]) -> None:
    text = (
        endpoint_text(name="a", labels="{x: '1'}")
        + endpoint_text(name="b", labels="{x: '1', 'y': '2'}")
        + endpoint_text(name="c", labels="{x: '3'}")
        + endpoint_text(name="d").replace("{name: d", "{name: d, namespace: other")
        + subscription_text(f"endpointSelector: {selector}")
    )
    compiled = compiled_of(text)
    uids = tuple(f"webhookendpoints/default/{name}" for name in selected)
    assert one_subscription(compiled).endpoints == uids
    notes = said(compiled, Severity.NOTE)
    assert notes == ([] if uids else ["spec.endpointSelector: matches no endpoint so far"])


def test_an_endpoint_that_is_not_there_does_not_stop_the_others() -> None:
    text = ENDPOINT + subscription_text("endpointRefs: [{name: gone}, {name: a}]")
    compiled = compiled_of(text, KEY, SIGNING)
    made = one_subscription(compiled)
    assert (made.endpoints, made.not_ready) == (("webhookendpoints/default/a",), "")
    (problem,) = compiled.problems
    assert (problem.path, problem.absent) == (
        "spec.endpointRefs[0].name",
        Absent("WebhookEndpoint", "gone"),
    )


def test_references_hold_to_documents_that_are_in_force() -> None:
    known = compiled_of(ENDPOINT).endpoints
    compiled = compiled_of(subscription_text(), SIGNING, known=known)
    assert one_subscription(compiled).endpoints == ("webhookendpoints/default/a",)
    assert said(compiled) == []


READ: Final = "webhookendpoints/default/a"
OTHERS: Final = endpoint_text(name="a") + endpoint_text(name="orders")


@pytest.mark.parametrize(
    ("named", "endpoints", "told"),
    [
        (
            "[{name: ordrs}]",
            (READ,),
            'there is no WebhookEndpoint "ordrs" in this namespace; until there is one, this '
            'goes on reading "a", which it no longer names; did you mean "orders"?',
        ),
        (
            "[{name: ordrs}, {name: orders}]",
            (READ, "webhookendpoints/default/orders"),
            'there is no WebhookEndpoint "ordrs" in this namespace; until there is one, this '
            'goes on reading "a", which it no longer names; did you mean "orders"?',
        ),
        (
            "[{name: a}, {name: xyz}]",
            (READ,),
            'there is no WebhookEndpoint "xyz" in this namespace',
        ),
    ],
)
def test_nobody_leaves_an_endpoint_by_a_misspelt_name(
    named: str, endpoints: tuple[str, ...], told: str
) -> None:
    keys = [generated(f"{name}-verification") for name in ("a", "orders")]
    before = compiled_of(OTHERS + subscription_text(), SIGNING, *keys)
    known = (*before.endpoints, *before.subscriptions)
    compiled = compiled_of(subscription_text(f"endpointRefs: {named}"), SIGNING, known=known)
    assert one_subscription(compiled).endpoints == endpoints
    assert [x.message for x in compiled.problems] == [told]


def test_an_endpoint_that_is_gone_is_not_kept_for_a_misspelt_name() -> None:
    before = compiled_of(ENDPOINT + subscription_text(), KEY, SIGNING)
    compiled = compiled_of(
        subscription_text("endpointRefs: [{name: gone}]"), SIGNING, known=before.subscriptions
    )
    assert one_subscription(compiled).endpoints == ()
    assert said(compiled) == [
        'spec.endpointRefs[0].name: there is no WebhookEndpoint "gone" in this namespace'
    ]


def test_many_endpoints_that_are_read_on_are_told_in_short() -> None:
    names = "abcde"
    refs = f"endpointRefs: [{', '.join(f'{{name: {x}}}' for x in names)}]"
    texts = "".join(endpoint_text(name=x) for x in names)
    keys = [generated(f"{x}-verification") for x in names]
    before = compiled_of(texts + subscription_text(refs), SIGNING, *keys)
    known = (*before.endpoints, *before.subscriptions)
    compiled = compiled_of(subscription_text("endpointRefs: [{name: zz}]"), SIGNING, known=known)
    (problem,) = compiled.problems
    assert problem.message.endswith(
        'this goes on reading "a", "b", "c", …, which it no longer names'
    )


def test_operational_events() -> None:
    text = subscription_text("operationalEvents: true")
    made = one_subscription(compiled_of(text, SIGNING))
    assert (made.endpoints, made.operational) == (("operational/default",), True)


@pytest.mark.parametrize(
    ("options", "url"),
    [
        (
            Options(loopback_allowed=True, services={"bot": "http://127.0.0.1:9009/x/"}),
            "http://127.0.0.1:9009/x/in",
        ),
        (
            Options(
                loopback_allowed=True,
                services={"bot": "http://127.0.0.1:9009", "default/bot": "http://127.0.0.1:9008"},
            ),
            "http://127.0.0.1:9008/in",
        ),
        (cluster(), "http://bot.default.svc:8080/in"),
    ],
)
def test_services(options: Options, url: str) -> None:
    text = ENDPOINT + subscription_text(target="serviceRef: {name: bot, port: 8080, path: /in}")
    made = one_subscription(compiled_of(text, KEY, SIGNING, options=options))
    assert made.target is not None
    assert made.target.url == Secret(url)


def test_a_service_without_an_address_says_how_to_give_one() -> None:
    text = ENDPOINT + subscription_text(target="serviceRef: {name: bot, port: 8080}")
    compiled = compiled_of(text, KEY, SIGNING)
    made = one_subscription(compiled)
    assert made.target is None
    assert made.not_ready == (
        'a laptop has no Service "bot"; say where it is: --service bot=http://127.0.0.1:8080'
    )


def test_a_service_that_the_cluster_refuses_says_why() -> None:
    text = ENDPOINT + subscription_text(target="serviceRef: {name: bot, port: 8080}")
    refused = {"default/bot": "it has no ready pod", "other/bot": "not this one"}
    options = replace(cluster(), refused_services=refused)
    compiled = compiled_of(text, KEY, SIGNING, options=options)
    assert one_subscription(compiled).not_ready == "it has no ready pod"
    (problem,) = compiled.problems
    assert (problem.path, problem.reason) == ("spec.target.serviceRef", Reason.NOT_ALLOWED)
    elsewhere = replace(options, refused_services={"other/bot": "not this one"})
    assert not one_subscription(compiled_of(text, KEY, SIGNING, options=elsewhere)).not_ready


@pytest.mark.parametrize(
    ("ports", "why"),
    [
        ((443, 80), 'Service "bot" has no port 8080; it has 80, 443'),
        ((80, 8080), ""),
        ((), ""),
    ],
)
def test_a_port_that_a_service_does_not_have_is_told_with_those_that_it_has(
    ports: tuple[int, ...], why: str
) -> None:
    text = ENDPOINT + subscription_text(target="serviceRef: {name: bot, port: 8080}")
    options = replace(cluster(), service_ports={"default/bot": ports, "other/bot": (1,)})
    compiled = compiled_of(text, KEY, SIGNING, options=options)
    made = one_subscription(compiled)
    assert (made.not_ready, made.target is None) == (why, bool(why))
    told = [(x.path, x.message) for x in compiled.problems]
    assert told == ([("spec.target.serviceRef.port", why)] if why else [])


def test_the_addresses_of_a_service_are_its_subscriptions_alone() -> None:
    text = ENDPOINT + subscription_text(target="serviceRef: {name: bot, port: 8080}")
    addresses = {"default/bot": ("10.96.0.7",), "other/bot": ("10.96.0.8",)}
    options = replace(cluster(), service_addresses=addresses)
    made = one_subscription(compiled_of(text, KEY, SIGNING, options=options))
    assert made.target is not None
    assert made.target.services == ("10.96.0.7",)
    by_url = ENDPOINT + subscription_text(target='url: "http://bot.default.svc:8080/"')
    other = one_subscription(compiled_of(by_url, KEY, SIGNING, options=options))
    assert other.target is not None
    assert other.target.services == ()


def test_what_is_hookplanes_own_is_no_target() -> None:
    own = frozenset({OwnPlace("hookplane-operator.system.svc"), OwnPlace("10.9.8.7", 6432)})
    options = replace(cluster(), allowed_cidrs=("10.0.0.0/8",), own=own)
    for url in ("http://hookplane-operator.system.svc:8081/", "http://10.9.8.7:6432/"):
        text = ENDPOINT + subscription_text(target=f'url: "{url}"')
        (problem,) = compiled_of(text, KEY, SIGNING, options=options).problems
        assert (problem.path, problem.reason) == ("spec.target.url", Reason.NOT_ALLOWED)
        assert "is no target: it is Hookplane's own, or the cluster's" in problem.message


def test_a_secret_url_shows_no_host() -> None:
    secret = secret_text("sec", k="https://chat.example/hooks/a-token")
    made = one_subscription(
        compiled_of(secret + ENDPOINT + subscription_text(target=f"urlFrom: {REF}"), KEY, SIGNING)
    )
    assert made.target is not None
    assert (made.target.url, made.target.host) == (
        Secret("https://chat.example/hooks/a-token"),
        "(Secret)",
    )


@pytest.mark.parametrize(
    ("authentication", "header"),
    [
        (f"bearer: {{token: {REF}}}", b"Bearer p"),
        (f"basic: {{username: u, password: {REF}}}", b"Basic " + base64.b64encode(b"u:p")),
    ],
)
def test_fixed_credentials_become_a_header(authentication: str, header: bytes) -> None:
    target = f"url: 'https://x.example', authentication: {{{authentication}}}"
    text = secret_text("sec", k="p") + ENDPOINT + subscription_text(target=target)
    made = one_subscription(compiled_of(text, KEY, SIGNING))
    assert made.target is not None
    assert made.target.headers == (("Authorization", Secret(header)),)


def test_oauth2() -> None:
    target = (
        "url: 'https://x.example', authentication: {oauth2: {tokenURL: 'https://login.example/t', "
        f"clientID: c, clientSecret: {REF}, scopes: [a, b]}}}}"
    )
    text = secret_text("sec", k="p") + ENDPOINT + subscription_text(target=target)
    made = one_subscription(compiled_of(text, KEY, SIGNING))
    assert made.target is not None
    assert made.target.oauth2 == OAuth2Config(
        token_url="https://login.example/t",
        client_id="c",
        client_secret=Secret("p"),
        scopes=("a", "b"),
    )


TLS = (
    "url: 'https://x.example', tls: {ca: {secretKeyRef: {name: tls, key: ca.crt}}, "
    "clientCertificateRef: {name: tls}}"
)


def test_tls() -> None:
    public, private = certificate()
    secret = pem_secret(tls_crt=public, tls_key=private, ca_crt=public)
    made = one_subscription(
        compiled_of(secret + ENDPOINT + subscription_text(target=TLS), KEY, SIGNING)
    )
    assert made.target is not None
    assert made.target.tls is not None
    assert (made.target.tls.ca, made.target.tls.certificate) == (public, public)
    assert made.target.tls.private_key == Secret(private)


@pytest.mark.parametrize(
    ("crt", "key", "problem"),
    [
        (0, 1, "tls.key is not the key of the certificate in tls.crt"),
        (None, 0, "holds no PEM certificate"),
        (0, None, "tls.key is not a PEM private key without a password"),
    ],
)
def test_tls_files_that_do_not_fit(crt: int | None, key: int | None, problem: str) -> None:
    pairs = certificate(), certificate()
    secret = pem_secret(
        tls_crt="x" if crt is None else pairs[crt][0],
        tls_key="x" if key is None else pairs[key][1],
        ca_crt=pairs[0][0],
    )
    (line,) = said(compiled_of(secret + ENDPOINT + subscription_text(target=TLS), KEY, SIGNING))
    assert line.startswith(f"spec.target.tls.clientCertificateRef: {problem}")


def test_authorities_that_are_no_certificates() -> None:
    public, private = certificate()
    secret = pem_secret(tls_crt=public, tls_key=private, ca_crt="x")
    compiled = compiled_of(secret + ENDPOINT + subscription_text(target=TLS), KEY, SIGNING)
    (problem,) = compiled.problems
    assert problem.path == "spec.target.tls.ca"
    assert problem.message.startswith("holds no PEM certificate")
    assert problem.reason == Reason.SECRET_UNUSABLE


def test_a_signing_key_that_is_missing_beside_another_takes_away_only_itself() -> None:
    refs = "[{secretKeyRef: {name: k, key: typo}}, {secretKeyRef: {name: k, key: key}}]"
    key = SIGNING.data["key"]
    compiled = compiled_of(
        endpoint_text() + subscription_text(f"signing: {{keys: {refs}}}"),
        generated("a-verification"),
        SecretObject("default", "k", {"key": key}),
    )
    assert said(compiled) == ['spec.signing.keys[0]: Secret "k" has no key "typo"; it has: key']
    made = one_subscription(compiled)
    assert made.not_ready == ""
    assert made.signing.keys == (key,)


@pytest.mark.parametrize(
    ("rest", "scheme", "kind"),
    [
        ("", SigningScheme.STANDARD, GeneratedKind.WHSEC),
        ("signing: {scheme: StandardWebhooksEd25519}", SigningScheme.ED25519, GeneratedKind.WHSK),
        (
            "signing: {scheme: Custom, custom: {header: X-Sig}}",
            SigningScheme.CUSTOM,
            GeneratedKind.HEX,
        ),
        ("signing: {scheme: None}", SigningScheme.NONE, None),
    ],
)
def test_generated_signing_keys(
    rest: str, scheme: SigningScheme, kind: GeneratedKind | None
) -> None:
    compiled = compiled_of(ENDPOINT + subscription_text(rest), KEY)
    assert one_subscription(compiled).signing.scheme is scheme
    wanted = [x.kind for x in compiled.wanted if x.name == "s-signing"]
    assert wanted == ([] if kind is None else [kind])
    assert said(compiled) == []


def test_several_keys_all_sign() -> None:
    text = secret_text("sec", k=WHSEC, l="whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
    keys = f"signing: {{keys: [{REF}, {{secretKeyRef: {{name: sec, key: l}}}}]}}"
    made = one_subscription(compiled_of(text + ENDPOINT + subscription_text(keys), KEY))
    assert len(made.signing.keys) == 2


@pytest.mark.parametrize(
    ("rest", "target", "problem"),
    [
        (
            "filter: {cel: 'event.type =='}",
            "url: 'https://x.example'",
            "spec.filter.cel: line 1, column ",
        ),
        (
            "filter: {cel: 'event.typo == 1'}",
            "url: 'https://x.example'",
            "spec.filter.cel: line 1, column 6: event has no member 'typo'; it has body, endpoint, "
            "headers, id, key, namespace, receivedTime, type",
        ),
        (
            "transform: {cel: 'event.typo'}",
            "url: 'https://x.example'",
            "spec.transform.cel: line 1, column 6: event has no member 'typo'",
        ),
        (
            "filter: {cel: '1 + 1'}",
            "url: 'https://x.example'",
            "spec.filter.cel: gives INT instead of a bool",
        ),
        (
            "transform: {cel: '{'}",
            "url: 'https://x.example'",
            "spec.transform.cel: line 1, column ",
        ),
        (
            "delivery: {retry: {schedule: [100h, 40h]}}",
            "url: 'https://x.example'",
            "spec.delivery.retry.schedule: takes 154h with jitter; events are kept for 168h, so it "
            "can take at most 144h",
        ),
        (
            "delivery: {rate: {requests: 1, per: 25h}}",
            "url: 'https://x.example'",
            'spec.delivery.rate.per: "25h" is out of bounds; it can be 1ms to 24h',
        ),
        (
            f"signing: {{keys: [{REF}]}}",
            "url: 'https://x.example'",
            "spec.signing.keys[0]: ",
        ),
        (
            "signing: {scheme: Custom, custom: {header: X-Source}}",
            "url: 'https://x.example', headers: [{name: x-source, value: w}]",
            'spec.signing.custom.header: "X-Source" is sent already; choose another header',
        ),
        (
            "",
            "url: 'https://x.example', headers: [{name: X, value: \"a\\r\\nb: c\"}]",
            "spec.target.headers[0]: the value has a line break or another control character",
        ),
        (
            "",
            f"url: 'https://x.example', headers: [{{name: authorization, value: x}}], "
            f"authentication: {{bearer: {{token: {REF}}}}}",
            "spec.target.authentication: headers set Authorization already; remove one of the two",
        ),
        (
            "",
            "url: 'http://x.example', tls: {}",
            "spec.target.tls: is for https:// targets; this one is http://",
        ),
    ],
)
def test_refused(rest: str, target: str, problem: str) -> None:
    text = secret_text("sec", k="p%") + ENDPOINT + subscription_text(rest, target)
    compiled = compiled_of(text, KEY, SIGNING)
    assert said(compiled)[0].startswith(problem)
    assert compiled.subscriptions == ()


def test_a_header_from_a_secret_can_add_no_other_header() -> None:
    value = base64.b64encode(b"x\r\nHost: evil").decode()
    secret = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: sec}}\ndata: {{k: {value}}}\n---\n"
    target = f"url: 'https://x.example', headers: [{{name: X, valueFrom: {REF}}}]"
    (line,) = said(compiled_of(secret + ENDPOINT + subscription_text(target=target), KEY, SIGNING))
    assert line.startswith("spec.target.headers[0]: the value has a line break")
    assert "evil" not in line


@pytest.mark.parametrize(
    ("url", "options", "accepted"),
    [
        ("http://127.0.0.1:9000/", Options(loopback_allowed=True), True),
        ("http://127.0.0.1:9000/", Options(), False),
        ("http://10.1.2.3/", Options(), False),
        ("http://10.1.2.3/", Options(allowed_cidrs=("10.0.0.0/8",)), True),
        ("http://169.254.169.254/", Options(True, allowed_cidrs=("0.0.0.0/0",)), False),
    ],
)
def test_addresses(url: str, options: Options, accepted: bool) -> None:
    text = ENDPOINT + subscription_text(target=f"url: '{url}'")
    compiled = compiled_of(text, KEY, SIGNING, options=options)
    assert [x.path for x in compiled.problems] == ([] if accepted else ["spec.target.url"])


def test_a_missing_secret_keeps_events_and_sends_nothing() -> None:
    text = ENDPOINT + subscription_text(target=f"urlFrom: {REF}")
    compiled = compiled_of(text, KEY, SIGNING)
    made = one_subscription(compiled)
    assert made.target is None
    assert made.endpoints == ("webhookendpoints/default/a",)
    assert made.not_ready == 'there is no Secret "sec"; it is to have the key "k"'
    assert [x.severity for x in compiled.problems] == [Severity.MISSING]


def test_pauses_are_no_shorter_than_the_least_and_may_be_written_shorter() -> None:
    text = ENDPOINT + subscription_text("delivery: {retry: {schedule: [0s, 100ms, 5s]}}")
    pauses = []
    for least in (0, 1_000):
        compiled = compiled_of(text, KEY, SIGNING, options=Options(least_pause=least))
        assert said(compiled) == []
        pauses.append(one_subscription(compiled).retry.schedule)
    assert pauses == [(0, 100, 5_000), (1_000, 1_000, 5_000)]


@pytest.mark.parametrize(
    ("retention", "schedule", "fits"),
    [
        (168, "144h", True),
        (168, "145h", False),
        (36, "18h", True),  # kept for less than two days: half of the time
        (36, "19h", False),
    ],
)
def test_a_schedule_must_fit_into_retention(retention: int, schedule: str, fits: bool) -> None:
    text = ENDPOINT + subscription_text(
        f"delivery: {{retry: {{schedule: [{schedule}], jitterPercent: 0}}}}"
    )
    options = Options(loopback_allowed=True, retention_events=retention * 3_600_000)
    assert (said(compiled_of(text, KEY, SIGNING, options=options)) == []) is fits


@pytest.mark.parametrize(
    ("retention", "schedule", "takes"),
    [
        (168, "150h1m", "takes 165h1m with jitter"),  # the seconds of jitter are left out
        (1, "58m20s", "takes 1h4m with jitter"),
        (1, "50m30s", "takes 55m33s with jitter"),
    ],
)
def test_how_long_a_schedule_takes_is_said_in_round_numbers(
    retention: int, schedule: str, takes: str
) -> None:
    text = ENDPOINT + subscription_text(f"delivery: {{retry: {{schedule: [{schedule}]}}}}")
    options = Options(loopback_allowed=True, retention_events=retention * 3_600_000)
    assert takes in said(compiled_of(text, KEY, SIGNING, options=options))[0]


def test_a_selector_never_selects_the_built_in_endpoint() -> None:
    known = compiled_of(ENDPOINT, KEY).endpoints
    assert any(x.builtin for x in known)
    compiled = compiled_of(subscription_text("endpointSelector: {}"), SIGNING, known=known)
    assert one_subscription(compiled).endpoints == ("webhookendpoints/default/a",)


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("two words", True),
        ("\\t tab", True),
        ("x" * 8192, True),
        ("x" * 8193, False),
        ("a\\x7fb", False),
    ],
)
def test_what_a_header_from_a_secret_can_hold(value: str, accepted: bool) -> None:
    secret = secret_text("sec", k="@").replace("'@'", f'"{value}"')
    target = f"url: 'https://x.example', headers: [{{name: X, valueFrom: {REF}}}]"
    compiled = compiled_of(secret + ENDPOINT + subscription_text(target=target), KEY, SIGNING)
    assert (said(compiled) == []) is accepted


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ("header: X-A, idHeader: x-a", 'spec.signing.custom.idHeader: "x-a" is sent already'),
        (
            "header: X-A, idHeader: X-B, timestampHeader: X-B",
            'spec.signing.custom.timestampHeader: "X-B" is sent already',
        ),
        ("header: X-Own", 'spec.signing.custom.header: "X-Own" is sent already'),
        ("header: X-A, idHeader: X-B, timestampHeader: X-C", ""),
    ],
)
def test_no_header_is_sent_twice(headers: str, problem: str) -> None:
    target = "url: 'https://x.example', headers: [{name: x-own, value: '1'}]"
    text = subscription_text(f"signing: {{scheme: Custom, custom: {{{headers}}}}}", target=target)
    lines = said(compiled_of(ENDPOINT + text, KEY, SIGNING))
    assert [line.partition(";")[0] for line in lines] == ([problem] if problem else [])


def test_a_credential_can_add_no_header() -> None:
    target = f"url: 'https://x.example', authentication: {{bearer: {{token: {REF}}}}}"
    secret = secret_text("sec", k="@").replace("'@'", '"a\\r\\nHost: evil"')
    (line,) = said(compiled_of(secret + ENDPOINT + subscription_text(target=target), KEY, SIGNING))
    assert line.startswith("spec.target.authentication.bearer.token: the value has a line break")
