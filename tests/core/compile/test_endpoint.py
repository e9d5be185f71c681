"""WebhookEndpoint → EndpointConfig: what is accepted, refused, and not ready."""

from __future__ import annotations

import json

import pytest

from hookplane.compile.model import Options, SecretObject, Severity, WantedSecret
from hookplane.config.base import RateLimit
from hookplane.config.endpoint import Answer, Source
from hookplane.kinds.conditions import Reason
from hookplane.providers.registry import PRESETS
from hookplane.secret import Secret
from hookplane.signatures.scheme import Algorithm, Encoding, SignatureScheme, Timestamp
from hookplane.signatures.signing import GeneratedKind
from support.kubernetes.pki import Authority
from support.planes.compiled import (
    cluster,
    compiled_of,
    endpoint_text,
    generated,
    one_endpoint,
    said,
    secret_text,
)

GENERATED = generated("a-verification")
HMAC = "provider: Generic, verification: {keys: [{secretKeyRef: {name: s, key: k}}], signature: "
REF = "[{secretKeyRef: {name: s, key: k}}]"


def test_the_smallest_endpoint_gets_a_generated_key() -> None:
    compiled = compiled_of(endpoint_text(), GENERATED)
    endpoint = one_endpoint(compiled)
    assert said(compiled) == []
    assert compiled.wanted == (
        WantedSecret(
            "default", "a-verification", GeneratedKind.WHSEC, "webhookendpoints/default/a"
        ),
    )
    assert (endpoint.uid, endpoint.path) == ("webhookendpoints/default/a", "/default/a")
    assert endpoint.keys == (GENERATED.data["key"],)
    assert endpoint.signature == PRESETS["StandardWebhooks"].variants[-1].signature
    assert (endpoint.dedup_window, endpoint.max_body_size) == (86_400_000, 1 << 20)
    assert endpoint.not_ready == ""


@pytest.mark.parametrize(
    ("provider", "limits", "size"),
    [
        ("GitHub", "{}", 25 << 20),
        ("GitLab", "{}", 25 << 20),
        ("WhatsApp", "{}", 3 << 20),
        ("Stripe", "{}", 1 << 20),
        ("GitHub", "{maxBodySize: 256Ki}", 256 << 10),
        ("Stripe", "{maxBodySize: 32Mi}", 32 << 20),
    ],
)
def test_how_large_a_body_may_be(provider: str, limits: str, size: int) -> None:
    parameters = "parameters: [{name: verifyToken, value: v}], " if provider == "WhatsApp" else ""
    spec = f"{{provider: {provider}, verification: {{{parameters}keys: {REF}}}, limits: {limits}}}"
    compiled = compiled_of(secret_text("s", k="k" * 16) + endpoint_text(spec))
    assert one_endpoint(compiled).max_body_size == size


def test_headers_to_store_are_written_in_lower_case_and_only_if_there_are_any() -> None:
    storing = compiled_of(endpoint_text("{storeHeaders: [X-Tenant, x-tenant, X-B]}"), GENERATED)
    assert said(storing) == []
    assert one_endpoint(storing).store_headers == ("x-tenant", "x-b")
    without = one_endpoint(compiled_of(endpoint_text(), GENERATED))
    assert "store_headers" not in without.model_dump(mode="python", exclude={"keys"})


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("X-Partner-Key", "looks like a credential, which is never stored; take it off the list"),
        (
            "X-Check",
            "is what requests are verified by, which is never stored; take it off the list",
        ),
    ],
)
def test_headers_that_are_never_stored_are_refused(name: str, why: str) -> None:
    verified = f"verification: {{apiKey: {{header: X-Check, keys: {REF}}}}}"
    spec = f"{{storeHeaders: [X-A, {name}], {verified}}}"
    compiled = compiled_of(secret_text("s", k="k" * 16) + endpoint_text(spec), GENERATED)
    assert said(compiled) == [f'spec.storeHeaders[1]: "{name}" {why}']
    assert [x for x in compiled.endpoints if not x.builtin] == []


def test_a_header_that_the_type_is_read_from_may_be_named_as_well() -> None:
    spec = "{storeHeaders: [X-Routing-Key], eventType: {header: x-routing-key}}"
    assert said(compiled_of(endpoint_text(spec), GENERATED)) == []


def test_a_key_that_is_not_generated_yet_is_no_problem_but_not_ready() -> None:
    compiled = compiled_of(endpoint_text())
    assert said(compiled) == []
    assert one_endpoint(compiled).not_ready == 'Secret "a-verification" is not generated yet'


def test_rotation_keeps_both_keys_during_overlap() -> None:
    old = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    compiled = compiled_of(
        endpoint_text("{verification: {rotation: {every: 720h, overlap: 1h}}}"),
        generated("a-verification", previous=old),
    )
    assert [key.reveal().decode() for key in one_endpoint(compiled).keys][1] == old
    (wanted,) = compiled.wanted
    assert (wanted.rotate_every, wanted.overlap) == (2_592_000_000, 3_600_000)


def test_a_secret_of_the_user_s_is_never_taken_for_a_generated_one() -> None:
    compiled = compiled_of(secret_text("a-verification", key="whsec_x") + endpoint_text())
    assert said(compiled) == [
        'spec.verification.keys: a key is to be generated into Secret "a-verification", which '
        "exists; refer to its key here, or give that Secret another name"
    ]


@pytest.mark.parametrize("provider", sorted(set(PRESETS) - {"Generic"}))
def test_every_provider_compiles_without_own_keys_or_says_which_it_needs(provider: str) -> None:
    preset = PRESETS[provider]
    compiled = compiled_of(endpoint_text(f"{{provider: {provider}}}"))
    if preset.generated_key is not None:
        assert one_endpoint(compiled).not_ready.endswith("is not generated yet")
    else:
        assert said(compiled)[0] == f"spec.verification.keys: is required. {preset.doc}"


def test_a_key_may_have_several_parts() -> None:
    parts = "[{header: CE-Source}, {bodyPath: data.id}]"
    compiled = compiled_of(
        endpoint_text(f"{{deduplication: {{key: {{parts: {parts}}}}}}}"), GENERATED
    )
    endpoint = one_endpoint(compiled)
    wanted = Source(parts=(Source(header="ce-source"), Source(body_path="data.id")))
    assert endpoint.dedup_key == wanted
    assert Source.model_validate_json(wanted.model_dump_json()) == wanted


def test_a_key_of_one_part_is_written_as_before_there_were_several() -> None:
    assert "parts" not in Source(header="x").model_dump_json()


def test_all_axes_of_a_generic_endpoint() -> None:
    text = secret_text("s", k="k" * 16, api="a" * 16, pw="p" * 16, token="t" * 16) + endpoint_text(
        "{provider: Generic, verification: {"
        f"keys: {REF}, "
        "signature: {header: X-Sig, prefix: v1=, algorithm: HMAC-SHA512, encoding: Base64, "
        "content: '{timestamp}.{body}', timestamp: {header: X-Time, tolerance: 1m}}, "
        "apiKey: {keys: [{secretKeyRef: {name: s, key: api}}]}, "
        "basic: {username: u, passwords: [{secretKeyRef: {name: s, key: pw}}]}, "
        "bearer: {tokens: [{secretKeyRef: {name: s, key: token}}]}, "
        "handshake: CloudEventsOptions, sources: [203.0.113.0/24]}, "
        "eventType: {header: X-Type}, key: {bodyPath: data.customer}, "
        "deduplication: {key: {bodyPath: m.id}, window: 72h}, "
        "limits: {maxBodySize: 256Ki, rate: {requests: 100, burst: 200}}, "
        "response: {status: 202, contentType: text/plain, body: 'ok {event.id}'}, suspend: true}"
    )
    compiled = compiled_of(text)
    endpoint = one_endpoint(compiled)
    assert said(compiled) == []
    assert endpoint.signature == SignatureScheme(
        header="x-sig",
        prefix="v1=",
        algorithm=Algorithm.HMAC_SHA512,
        encoding=Encoding.BASE64,
        content="{timestamp}.{body}",
        timestamp=Timestamp(header="x-time", tolerance=60_000),
    )
    assert endpoint.api_key is not None
    assert (endpoint.api_key.header, endpoint.api_key.keys) == ("x-api-key", (Secret("a" * 16),))
    assert endpoint.basic is not None
    assert (endpoint.basic.username, endpoint.basic.passwords) == ("u", (Secret("p" * 16),))
    assert endpoint.bearer == (Secret("t" * 16),)
    assert endpoint.handshake == "CloudEventsOptions"
    assert endpoint.sources == ("203.0.113.0/24",)
    assert endpoint.event_type == Source(header="x-type")
    assert endpoint.event_key == Source(body_path="data.customer")
    assert endpoint.dedup_key == Source(body_path="m.id")
    assert endpoint.dedup_window == 259_200_000
    assert endpoint.max_body_size == 262_144
    assert endpoint.rate == RateLimit(tokens=100, per=1000, burst=200)
    assert endpoint.answer == Answer(status=202, content_type="text/plain", body="ok {event.id}")
    assert (endpoint.suspended, endpoint.not_ready, compiled.wanted) == (True, "", ())


def test_what_is_not_signed_may_be_written_in_any_order() -> None:
    text = secret_text("s", k="k" * 16) + endpoint_text(
        f"{{provider: Generic, verification: {{keys: {REF}, signature: {{header: X, content: "
        "'{id}{body}', idHeader: I, algorithm: Equality}}}"
    )
    assert said(compiled_of(text)) == []


def test_an_own_answer_replaces_all_of_the_provider_s() -> None:
    key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    spec = f"provider: Discord, verification: {{keys: {REF}}}"
    kept = one_endpoint(compiled_of(secret_text("s", k=key) + endpoint_text(f"{{{spec}}}")))
    own = one_endpoint(
        compiled_of(
            secret_text("s", k=key) + endpoint_text(f"{{{spec}, response: {{status: 200}}}}")
        )
    )
    assert kept.answers
    assert not own.answers


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (
            "{provider: Githup}",
            f'spec.provider: "Githup" is not a provider; known are: {", ".join(sorted(PRESETS))}; '
            'did you mean "GitHub"?',
        ),
        (
            "{provider: Stripe, verification: {rotation: {every: 24h, overlap: 1h}}}",
            "spec.verification.keys: is required. Key: the endpoint's signing secret",
        ),
        (
            f"{{provider: WhatsApp, verification: {{keys: {REF}}}}}",
            'spec.verification.parameters: "verifyToken" is required. Key: the app secret',
        ),
        (
            f"{{provider: Stripe, verification: {{keys: {REF}, "
            "parameters: [{name: verifyToken, value: x}]}}",
            'spec.verification.parameters[0].name: "verifyToken" is not known; Stripe takes no '
            "parameters",
        ),
        (
            f"{{provider: Generic, verification: {{keys: {REF}, "
            "bearer: {tokens: [{secretKeyRef: {name: s, key: k}}]}}}",
            "spec.verification.keys: nothing uses them; set signature or remove keys",
        ),
        (
            "{provider: Generic, verification: {signature: {header: X}}}",
            "spec.verification.keys: is required. How requests are signed is said in",
        ),
        (
            "{provider: Generic, verification: {rotation: {every: 48h}, "
            "bearer: {tokens: [{secretKeyRef: {name: s, key: k}}]}}}",
            "spec.verification.rotation: is for generated keys; Generic has none",
        ),
        (
            f"{{provider: Discord, verification: {{keys: {REF}}}}}",
            "spec.verification.keys[0]: the key is not hexadecimal",
        ),
        (
            f"{{provider: Generic, verification: {{keys: {REF}, signature: {{header: X, content: "
            "'{timestamp}{body}', timestamp: {header: T, tolerance: 48h}}}}",
            'spec.verification.signature.timestamp.tolerance: "48h" is out of bounds; it can be '
            "1s to 24h",
        ),
        (
            f"{{provider: Generic, verification: {{keys: {REF}, signature: {{header: X, content: "
            "'{id}{body}', idHeader: I}}}",
            'spec.verification.signature.content: "{id}{body}" can be read in two ways',
        ),
        (
            "{deduplication: {window: 0s}}",
            'spec.deduplication.window: "0s" is out of bounds; it can be 1s to 720h',
        ),
        (
            "{limits: {rate: {requests: 1, per: 48h}}}",
            'spec.limits.rate.per: "48h" is out of bounds; it can be 1ms to 24h',
        ),
    ],
)
def test_refused(spec: str, problem: str) -> None:
    compiled = compiled_of(
        secret_text("s", k="plain and long text") + endpoint_text(spec), GENERATED
    )
    assert said(compiled)[0].startswith(problem)
    assert [x for x in compiled.endpoints if not x.builtin] == []


@pytest.mark.parametrize("kind", ["kubernetes.io/service-account-token", "helm.sh/release.v1"])
def test_secrets_that_hold_other_power_are_refused(kind: str) -> None:
    text = secret_text("s", kind, k="x")
    compiled = compiled_of(
        text + endpoint_text(f"{{provider: Stripe, verification: {{keys: {REF}}}}}")
    )
    assert said(compiled) == [
        f'spec.verification.keys[0]: Secret "s" is of type {kind}: not for webhooks'
    ]


LABELLED = Options(labelled_secrets=True)
STRIPE = endpoint_text(f"{{provider: Stripe, verification: {{keys: {REF}}}}}")
NO_LABEL = (
    'Secret "s" has no label hookplane.dev/allow-reference: "true", and objects may refer here to '
    "Secrets with it only; set it on the Secret, if it is for webhooks"
)


@pytest.mark.parametrize(
    "labels", ["{}", "{hookplane.dev/allow-reference: 'false'}", "{a: 'true'}"]
)
def test_a_secret_without_the_label_is_refused_where_labels_are_wanted(labels: str) -> None:
    text = secret_text("s", k="x" * 16, labels=labels) + STRIPE
    compiled = compiled_of(text, options=LABELLED)
    assert said(compiled) == [f"spec.verification.keys[0]: {NO_LABEL}"]
    assert {x.reason for x in compiled.problems} == {Reason.SECRET_NOT_ALLOWED}
    assert [x for x in compiled.endpoints if not x.builtin] == []
    assert said(compiled_of(text)) == []


def test_labelled_and_generated_secrets_can_be_referred_to_where_labels_are_wanted() -> None:
    labels = "{hookplane.dev/allow-reference: 'true'}"
    labelled = compiled_of(secret_text("s", k="x" * 16, labels=labels) + STRIPE, options=LABELLED)
    assert (said(labelled), one_endpoint(labelled).not_ready) == ([], "")
    own = compiled_of(endpoint_text(), GENERATED, options=LABELLED)
    assert (said(own), one_endpoint(own).not_ready) == ([], "")
    key = "[{secretKeyRef: {name: a-verification, key: key}}]"
    other = endpoint_text(f"{{verification: {{keys: {key}}}}}", name="b")
    assert said(compiled_of(other, GENERATED, options=LABELLED)) == []


def test_secrets_that_the_system_needs_itself_are_refused() -> None:
    text = endpoint_text(f"{{provider: Stripe, verification: {{keys: {REF}}}}}")
    secret = SecretObject("default", "s", {"k": Secret("x")}, reserved="the sealing key")
    (problem,) = compiled_of(text, secret).problems
    assert problem.message == 'Secret "s" is the sealing key: not for webhooks'
    assert problem.reason == Reason.SECRET_NOT_ALLOWED


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("", 'there is no Secret "s"; it is to have the key "k"'),
        (secret_text("s", a="1", b="2"), 'Secret "s" has no key "k"; it has: a, b'),
        (secret_text("s"), 'Secret "s" has no key "k"; it has: no keys'),
        (secret_text("s", k=" "), 'key "k" of Secret "s" is empty'),
    ],
)
def test_a_missing_key_is_told_and_the_endpoint_is_not_ready(secret: str, reason: str) -> None:
    text = secret + endpoint_text(f"{{provider: Stripe, verification: {{keys: {REF}}}}}")
    compiled = compiled_of(text)
    assert said(compiled) == [f"spec.verification.keys[0]: {reason}"]
    assert one_endpoint(compiled).not_ready == reason


ONE_IS_THERE = (
    "[{secretKeyRef: {name: s, key: typo}}, {secretKeyRef: {name: s, key: k}},"
    " {secretKeyRef: {name: t, key: k}}]"
)


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        (f"{{provider: Stripe, verification: {{keys: {ONE_IS_THERE}}}}}", "keys"),
        (
            f"{{provider: Generic, verification: {{bearer: {{tokens: {ONE_IS_THERE}}}}}}}",
            "bearer.tokens",
        ),
        (
            "{provider: Generic, verification: "
            f"{{basic: {{username: u, passwords: {ONE_IS_THERE}}}}}}}",
            "basic.passwords",
        ),
        (
            f"{{provider: Generic, verification: {{apiKey: {{header: x, keys: {ONE_IS_THERE}}}}}}}",
            "apiKey.keys",
        ),
    ],
)
def test_a_key_that_is_missing_beside_another_takes_away_only_itself(spec: str, path: str) -> None:
    key = Secret("a key of some length")
    compiled = compiled_of(endpoint_text(spec), SecretObject("default", "s", {"k": key}))
    assert said(compiled) == [
        f'spec.verification.{path}[0]: Secret "s" has no key "typo"; it has: k',
        f'spec.verification.{path}[2]: there is no Secret "t"; it is to have the key "k"',
    ]
    made = one_endpoint(compiled)
    assert made.not_ready == ""
    api_key = made.api_key.keys if made.api_key else ()
    passwords = made.basic.passwords if made.basic else ()
    assert (*made.keys, *made.bearer, *passwords, *api_key) == (key,)
    assert compiled.lacking == {made.uid}


def test_a_key_that_does_not_fit_is_told_at_its_own_place() -> None:
    keys = "[{secretKeyRef: {name: t, key: k}}, {secretKeyRef: {name: s, key: k}}]"
    text = endpoint_text(f"{{provider: StandardWebhooks, verification: {{keys: {keys}}}}}")
    compiled = compiled_of(secret_text("s", k="whsec_?") + text)
    assert said(compiled)[-1].startswith("spec.verification.keys[1]: ")


@pytest.mark.parametrize("field", ["eventType", "key"])
@pytest.mark.parametrize("header", ["Authorization", "X-Auth-Token", "X-Mine"])
def test_no_credential_is_told_to_targets(field: str, header: str) -> None:
    own = f"apiKey: {{header: x-mine, keys: {REF}}}"
    text = f"{{provider: Generic, verification: {{{own}}}, {field}: {{header: {header}}}}}"
    compiled = compiled_of(secret_text("s", k="a key of some length") + endpoint_text(text))
    assert said(compiled) == [
        f'spec.{field}.header: "{header.lower()}" carries a credential, and all targets get what '
        "is read here"
    ]
    assert not any(x.name == "a" for x in compiled.endpoints)


@pytest.mark.parametrize("field", ["eventType", "key", "deduplication: {key"])
def test_a_path_of_jsonpath_is_noted(field: str) -> None:
    text = f"{{provider: GitHub, verification: {{keys: {REF}}}, {field}: {{bodyPath: $.a.b}}}}"
    text += "}" * field.count("{")
    (told,) = said(compiled_of(secret_text("s", k="a key of some length") + endpoint_text(text)))
    assert told.endswith('looks for a member named "$"; a path from the top begins without "$."')
    assert told.startswith(f"spec.{field.replace(': {', '.')}.bodyPath: ")


def test_an_optional_key_is_passed_over() -> None:
    keys = "[{secretKeyRef: {name: s, key: k}}, {secretKeyRef: {name: t, key: k, optional: true}}]"
    text = endpoint_text(f"{{provider: Stripe, verification: {{keys: {keys}}}}}")
    compiled = compiled_of(secret_text("s", k="the one and only key") + text)
    assert said(compiled) == []
    assert one_endpoint(compiled).keys == (Secret("the one and only key"),)


def test_a_token_that_no_header_can_carry_is_refused() -> None:
    spec = f"{{provider: Generic, verification: {{bearer: {{tokens: {REF}}}}}}}"
    compiled = compiled_of(
        secret_text("s", k="abc\n").replace("'abc\\n'", '"abc\\n"') + endpoint_text(spec)
    )
    assert said(compiled)[0].startswith("spec.verification.bearer.tokens[0]: the value has line")


@pytest.mark.parametrize(("length", "notes"), [(15, 1), (16, 0)])
def test_a_short_key_of_the_user_s_choice_is_noted(length: int, notes: int) -> None:
    ways = (
        f"provider: GitHub, verification: {{keys: {REF}}}",
        f"provider: Generic, verification: {{bearer: {{tokens: {REF}}}}}",
        f"provider: Generic, verification: {{apiKey: {{keys: {REF}}}}}",
        f"provider: Generic, verification: {{basic: {{username: u, passwords: {REF}}}}}",
    )
    for way in ways:
        compiled = compiled_of(secret_text("s", k="x" * length) + endpoint_text(f"{{{way}}}"))
        found = [problem.severity for problem in compiled.problems]
        assert found == [Severity.NOTE] * notes
        assert one_endpoint(compiled).not_ready == ""


def test_a_signed_url_needs_the_public_url() -> None:
    spec = f"{{{HMAC}{{header: X, content: '{{url}}{{body}}'}}}}}}"
    text = secret_text("s", k="a key of 16 bytes") + endpoint_text(spec)
    missing = compiled_of(text)
    assert "the public URL must be known" in one_endpoint(missing).not_ready
    given = compiled_of(text, options=Options(public_url="https://h.example/hooks/"))
    assert one_endpoint(given).public_url == "https://h.example/hooks/default/a"
    assert said(given) == []


def test_client_certificates_are_understood_and_never_silently_ignored() -> None:
    spec = (
        "{provider: Generic, verification: {clientCertificate: "
        "{ca: {secretKeyRef: {name: s, key: k}}}}}"
    )
    text = secret_text("s", k="no certificate") + endpoint_text(spec)
    assert said(compiled_of(text))[0] == (
        "spec.verification.clientCertificate.ca: holds no PEM certificate "
        "(-----BEGIN CERTIFICATE-----)"
    )
    laptop = compiled_of(endpoint_text(spec))
    assert len(said(laptop)) == 2
    assert "this one does not" in said(laptop)[1]
    in_cluster = compiled_of(endpoint_text(spec), options=cluster())
    assert [x.absent is not None for x in in_cluster.problems] == [True]
    assert one_endpoint(in_cluster).not_ready


def _certified(subjects: str) -> str:
    authority = Authority("partners").certificate.decode()
    return secret_text("s", k="x").replace("k: 'x'", f"k: {json.dumps(authority)}") + endpoint_text(
        "{provider: Generic, verification: {clientCertificate: "
        f"{{ca: {{secretKeyRef: {{name: s, key: k}}}}, subjects: {subjects}}}}}}}"
    )


def test_a_client_certificate_is_demanded_where_the_receiver_ends_tls() -> None:
    found = compiled_of(_certified("['CN=a,O=B']"), options=cluster())
    assert said(found) == []
    demand = one_endpoint(found).client_certificate
    assert demand is not None
    assert demand.subjects == ("CN=a,O=B",)
    assert demand.authorities.reveal().startswith(b"-----BEGIN CERTIFICATE")
    assert one_endpoint(found).not_ready == ""


@pytest.mark.parametrize("subject", ["erp.partner.example", "/CN=a", "CN=a,", "NOPE=x"])
def test_a_subject_that_cannot_be_read_is_named(subject: str) -> None:
    [problem] = said(compiled_of(_certified(f"['CN=ok', '{subject}']"), options=cluster()))
    assert problem.startswith("spec.verification.clientCertificate.subjects[1]: ")
    assert "CN=erp.partner.example" in problem


def test_every_namespace_has_an_endpoint_of_operational_events() -> None:
    text = endpoint_text() + endpoint_text(name="b").replace(
        "{name: b", "{name: b, namespace: chat"
    )
    builtin = [x for x in compiled_of(text).endpoints if x.builtin]
    assert [(x.uid, x.namespace) for x in builtin] == [
        ("operational/chat", "chat"),
        ("operational/default", "default"),
    ]


def test_a_gateway_is_noted_once_on_a_laptop() -> None:
    text = endpoint_text("{gatewayRef: {name: g}}") + endpoint_text(
        "{gatewayRef: {name: g}}", name="b"
    )
    assert [x.path for x in compiled_of(text).problems] == ["spec.gatewayRef"]
    assert said(compiled_of(text, options=cluster())) == []


def test_a_gateway_itself_is_noted_on_a_laptop() -> None:
    spec = "{store: {postgresql: {dsn: {secretKeyRef: {name: s, key: k}}}}}"
    text = endpoint_text(spec, name="g").replace("WebhookEndpoint", "WebhookGateway")
    assert [(x.kind, x.path) for x in compiled_of(text).problems] == [("WebhookGateway", "")]
    assert said(compiled_of(text, options=cluster())) == []


def test_an_unknown_provider_is_the_only_problem() -> None:
    compiled = compiled_of(endpoint_text("{provider: Nobody}"))
    assert [(x.path, x.reason) for x in compiled.problems] == [
        ("spec.provider", Reason.UNKNOWN_PROVIDER)
    ]


@pytest.mark.parametrize("value", ["value: plain", f"valueFrom: {REF[1:-1]}"])
def test_a_parameter_is_a_literal_or_from_a_secret(value: str) -> None:
    parameters = f"[{{name: verifyToken, {value}}}]"
    spec = f"{{provider: WhatsApp, verification: {{keys: {REF}, parameters: {parameters}}}}}"
    made = one_endpoint(compiled_of(secret_text("s", k="plain") + endpoint_text(spec)))
    assert made.parameters == {"verifyToken": Secret("plain")}


@pytest.mark.parametrize(
    ("token", "accepted"),
    [("two or more words", True), ("a\\nb", False), (" a", False), ("a\\x7f", False)],
)
def test_which_tokens_a_header_can_carry(token: str, accepted: bool) -> None:
    spec = f"{{provider: Generic, verification: {{bearer: {{tokens: {REF}}}}}}}"
    secret = secret_text("s", k="@").replace("'@'", f'"{token}"')
    assert (said(compiled_of(secret + endpoint_text(spec))) == []) is accepted
