"""Who sent this: vectors, every axis, and everything that must not pass."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookplane.providers import registry
from hookplane.providers.schemes import HUB_SHA256, STANDARD
from hookplane.secret import Secret
from hookplane.signatures.keys import prepare
from hookplane.signatures.request import sign_request
from hookplane.signatures.scheme import (
    Algorithm,
    Encoding,
    KeyEncoding,
    Layout,
    SignatureScheme,
    Timestamp,
    TimeUnit,
)
from hookplane.signatures.verify import (
    SignatureRefused,
    SignedRequest,
    VerifyFailure,
    VerifyResult,
    read_signature,
    verify,
)
from support.http.vectors import Vector, changed, generic_vectors, preset_vectors

NOW = 1_700_000_000_000
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STRIPE = registry.get("Stripe").variant().signature
Headers = Sequence[tuple[str, str]]

ALL_VECTORS = [
    (registry.get(name).variant([Secret(v.key)]).signature, v) for name, v in preset_vectors()
] + list(generic_vectors())
VECTOR_IDS = [f"{v.id}-{v.signature_header}-{i}" for i, (_, v) in enumerate(ALL_VECTORS)]


def judge(
    scheme: SignatureScheme | None,
    headers: Headers,
    body: bytes = b"{}",
    keys: Sequence[str] = ("secret",),
    now: int = NOW,
    url: str = "https://hooks.example.com/in",
) -> VerifyResult:
    assert scheme is not None
    prepared = [prepare(scheme, Secret(key)) for key in keys]
    return verify(scheme, prepared, SignedRequest("POST", url, headers, body), now)


def judge_vector(scheme: SignatureScheme | None, v: Vector, **changes: object) -> VerifyResult:
    assert scheme is not None
    facts = vars(v) | changes
    request = SignedRequest(facts["method"], facts["url"], facts["headers"], facts["body"])
    return verify(scheme, [prepare(scheme, Secret(facts["key"]))], request, facts["now"])


def signed(
    scheme: SignatureScheme | None,
    body: bytes = b"{}",
    key: str = "secret",
    id: str = "msg_1",  # noqa: A002
    now: int = NOW,
) -> list[tuple[str, str]]:
    assert scheme is not None
    url = "https://hooks.example.com/in"
    return sign_request(scheme, Secret(key), method="POST", url=url, body=body, id=id, now=now)


def replaced(headers: Headers, name: str, value: str) -> list[tuple[str, str]]:
    return [(n, value if n == name else v) for n, v in headers]


@pytest.mark.parametrize(("scheme", "vector"), ALL_VECTORS, ids=VECTOR_IDS)
def test_published_requests_are_accepted(scheme: SignatureScheme | None, vector: Vector) -> None:
    assert judge_vector(scheme, vector).ok


@pytest.mark.parametrize(("scheme", "vector"), ALL_VECTORS, ids=VECTOR_IDS)
def test_a_changed_byte_is_noticed(scheme: SignatureScheme | None, vector: Vector) -> None:
    body = vector.body[:-1] + bytes([vector.body[-1] ^ 1])
    assert judge_vector(scheme, vector, body=body).failure is VerifyFailure.MISMATCH
    value = dict(vector.headers)[vector.signature_header]
    headers = replaced(vector.headers, vector.signature_header, changed(value))
    assert judge_vector(scheme, vector, headers=headers).failure is VerifyFailure.MISMATCH
    assert judge_vector(scheme, vector, key=vector.key[:-1] + "x").failure is VerifyFailure.MISMATCH


@pytest.mark.parametrize("off", [-301_000, 301_000, -86_400_000, 10**12])
def test_time_counts_in_both_directions(off: int) -> None:
    result = judge(STRIPE, signed(STRIPE), now=NOW + off)
    assert result.failure is VerifyFailure.TIMESTAMP


@pytest.mark.parametrize(
    ("off", "words"), [(302_000, "302 s old"), (-302_000, "302 s in the future")]
)
def test_it_is_told_how_far_off_the_time_is(off: int, words: str) -> None:
    result = judge(STRIPE, signed(STRIPE), now=NOW + off)
    assert result.detail == f"signed time is {words}; allowed are 300 s"


@pytest.mark.parametrize("off", [-300_000, 0, 300_000])
def test_time_within_tolerance_is_accepted(off: int) -> None:
    assert judge(STRIPE, signed(STRIPE), now=NOW + off) == VerifyResult(timestamp=NOW)


def test_time_is_looked_at_after_the_signature() -> None:
    headers = signed(STRIPE, now=NOW - 10**9)
    assert judge(STRIPE, headers, b"other").failure is VerifyFailure.MISMATCH


@pytest.mark.parametrize(
    "text", ["-1700000000", "1.7e9", "1" * 20, "", "\uff11\uff17", "0x10", "1700 000"]
)
def test_what_is_no_time_is_refused_even_when_it_is_signed(text: str) -> None:
    assert STRIPE is not None
    [(name, value)] = signed(STRIPE.model_copy(update={"content": text + ".{body}"}))
    mac = value.rpartition("v1=")[2]
    assert judge(STRIPE, [(name, f"t={text},v1={mac}")]).failure is VerifyFailure.MALFORMED


RFC3339 = SignatureScheme(
    header="x-sig",
    content="{timestamp}{body}",
    timestamp=Timestamp(header="x-time", unit=TimeUnit.RFC3339),
)


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("2023-11-14T22:13:20Z", True),
        ("2023-11-14t22:13:20.5Z", True),
        ("2023-11-14T22:13:20z", True),
        ("2023-11-14 22:13:20.123456789+00:00", True),
        ("2023-11-15T00:13:20+0200", True),
        ("2023-11-14T22:13:20", False),
        ("2023-11-14T22:13:20+00", False),
        ("2023-11-14T22:13:20+00:00:00", False),
        ("2023-11-14T22:13:20.Z", False),
        ("2023-11-14T22:13Z", False),
        ("20231114T221320Z", False),
        ("2023-13-14T22:13:20Z", False),
        ("12023-11-14T22:13:20Z", False),
    ],
)
def test_a_written_time_has_one_form(text: str, passes: bool) -> None:
    fixed = RFC3339.model_copy(update={"content": text + "{body}", "timestamp": None})
    headers = [*signed(fixed), ("x-time", text)]
    failure = judge(RFC3339, headers).failure
    assert failure is (None if passes else VerifyFailure.MALFORMED)


TIMED = [
    (name, scheme)
    for name, preset in registry.PRESETS.items()
    for scheme in [variant.signature for variant in preset.variants]
    if scheme is not None and scheme.timestamp is not None
]
OWN = [
    (unit.value, SignatureScheme(header="x-sig", content=content, timestamp=timestamp))
    for unit in (TimeUnit.SECONDS, TimeUnit.MILLISECONDS)
    for timestamp in [Timestamp(header="x-time", unit=unit)]
    for content in ("{timestamp}{body}", "{body}{timestamp}", "{timestamp}5{body}")
]


@pytest.mark.parametrize(("query", "passes"), [("?v=1.0", True), ("?v=.1700000001.", False)])
def test_a_query_may_have_dots_but_no_second_time(query: str, passes: bool) -> None:
    scheme = SignatureScheme(
        header="x-sig", content="{url}.{timestamp}.{body}", timestamp=Timestamp(header="x-time")
    )
    url = f"https://hooks.example.com/a{query}"
    headers = sign_request(
        scheme, Secret("secret"), method="POST", url=url, body=b"{}", id="1", now=NOW
    )
    request = SignedRequest("POST", url, headers, b"{}")
    result = verify(scheme, [prepare(scheme, Secret("secret"))], request, NOW)
    assert result.ok is passes
    assert passes or "could be the signed time" in result.detail


@pytest.mark.parametrize(("name", "scheme"), TIMED + OWN)
@pytest.mark.parametrize("moved", [-2, -1, 1, 2])
def test_digits_cannot_be_moved_between_the_time_and_the_body(
    name: str, scheme: SignatureScheme, moved: int
) -> None:
    """An old request says another time, if its last digits count as the first ones of the body:
    the same bytes are signed."""
    scheme = symmetric(scheme)
    assert scheme.timestamp is not None
    body = b'170{"type":1}170'
    unit = 1000 if scheme.timestamp.unit is TimeUnit.SECONDS else 1
    at, step = str(NOW // unit), abs(moved)
    behind = scheme.content.startswith("{body}")
    if behind:
        text = body[-step:].decode() + at if moved > 0 else at[step:]
        other = body[:-step] if moved > 0 else body + at[:step].encode()
    else:
        text = at + body[:step].decode() if moved > 0 else at[:moved]
        other = body[step:] if moved > 0 else at[moved:].encode() + body
    key = WHSEC if scheme.key_prefix else "secret"
    good = signed(scheme, body, key)
    assert judge(scheme, good, body, [key]).ok
    headers = [(name, value.replace(at, text)) for name, value in good]
    ageless = scheme.timestamp.model_copy(update={"tolerance": None})
    for judged in (scheme, scheme.model_copy(update={"timestamp": ageless})):
        assert not judge(judged, headers, other, [key]).ok


def symmetric(scheme: SignatureScheme) -> SignatureScheme:
    """The same with a secret that both sides have, where it is signed by a pair of keys."""
    if scheme.algorithm.startswith("HMAC"):
        return scheme
    key = {"key_prefix": scheme.key_prefix and "whsec_"}
    if not scheme.key_prefix:
        key["key_encoding"] = KeyEncoding.UTF8
    return scheme.model_copy(update={"algorithm": Algorithm.HMAC_SHA256, **key})


def test_nothing_can_be_moved_between_an_id_and_what_stands_beside_it() -> None:
    for content in ("{id}.{body}", "{body}.{id}"):
        scheme = SignatureScheme(header="x-sig", content=content, id_header="x-id")
        headers = signed(scheme, b"a.b", id="c")
        assert judge(scheme, headers, b"a.b").ok
        moved, body = ("c.a", b"b") if content.startswith("{id}") else ("b.c", b"a")
        assert (
            judge(scheme, replaced(headers, "x-id", moved), body).failure is VerifyFailure.MALFORMED
        )


def test_a_query_cannot_take_from_the_body() -> None:
    scheme = SignatureScheme(header="x-sig", content="{url}{body}")
    base = "https://hooks.example.com/in"
    headers = sign_request(
        scheme, Secret("secret"), method="POST", url=base + "?a", body=b'{"b":1}', id="", now=NOW
    )
    assert judge(scheme, headers, b'{"b":1}', url=base + "?a").ok
    result = judge(scheme, headers, b'"b":1}', url=base + "?a{")
    assert result.failure is VerifyFailure.MALFORMED
    assert result.detail.startswith("the signed URL has a query that could go on in the body")


def test_discord_s_old_requests_are_refused() -> None:
    """Events are sent again for up to ten minutes, maybe as they were signed first."""
    scheme = symmetric(registry.get("Discord").variant().signature or RFC3339)
    assert scheme.header == "x-signature-ed25519"
    assert judge(scheme, signed(scheme), now=NOW + 10 * 60_000).ok
    for age in (16 * 60_000, 400 * 86_400_000):
        assert judge(scheme, signed(scheme), now=NOW + age).failure is VerifyFailure.TIMESTAMP


@pytest.mark.parametrize("name", ["webhook-signature", "webhook-id", "webhook-timestamp"])
def test_a_repeated_header_is_malformed_even_when_both_are_right(name: str) -> None:
    headers = signed(STANDARD, key=WHSEC)
    again = [*headers, next(h for h in headers if h[0] == name)]
    assert judge(STANDARD, headers, keys=[WHSEC]).ok
    assert judge(STANDARD, again, keys=[WHSEC]).failure is VerifyFailure.MALFORMED


def test_milliseconds_for_seconds_are_told() -> None:
    for now, told in ((NOW * 1000, "10 digits: it was given in milliseconds"), (12_000, "digits")):
        result = judge(STANDARD, signed(STANDARD, key=WHSEC, now=now), keys=[WHSEC])
        assert result.failure is VerifyFailure.MALFORMED
        assert result.detail.endswith(told)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_a_missing_part_is_malformed(name: str) -> None:
    headers = [h for h in signed(STANDARD, key=WHSEC) if h[0] != name]
    assert judge(STANDARD, headers, keys=[WHSEC]).failure is VerifyFailure.MALFORMED


def test_a_missing_signature_is_told_apart() -> None:
    assert judge(STANDARD, [], keys=[WHSEC]).failure is VerifyFailure.MISSING


def test_a_repeated_time_element_is_malformed() -> None:
    [(name, value)] = signed(STRIPE)
    assert judge(STRIPE, [(name, value + ",t=1700000000")]).failure is VerifyFailure.MALFORMED
    assert judge(STRIPE, [(name, value.partition(",")[2])]).failure is VerifyFailure.MALFORMED


def test_an_id_cannot_shift_the_delimiter() -> None:
    headers = signed(STANDARD, key=WHSEC, id="msg.1")
    result = judge(STANDARD, headers, keys=[WHSEC])
    assert result.failure is VerifyFailure.MALFORMED
    assert "must not contain" in result.detail


@pytest.mark.parametrize("tag", ["v2", "v1a", "V1", "", "v"])
def test_an_unknown_version_is_never_taken_for_v1(tag: str) -> None:
    headers = signed(STANDARD, key=WHSEC)
    value = dict(headers)["webhook-signature"].replace("v1,", f"{tag},")
    headers = replaced(headers, "webhook-signature", value)
    assert judge(STANDARD, headers, keys=[WHSEC]).failure is VerifyFailure.MISMATCH


def test_unknown_versions_beside_a_good_one_are_passed_over() -> None:
    headers = signed(STANDARD, key=WHSEC)
    value = f"v1a,AAAA {dict(headers)['webhook-signature']} v9,zzz"
    headers = replaced(headers, "webhook-signature", value)
    assert judge(STANDARD, headers, keys=[WHSEC]).ok


def test_any_key_and_any_signature_may_match() -> None:
    old, new, other = "old", "new", "other"
    [(name, by_old)] = signed(STRIPE, key=old)
    by_new = signed(STRIPE, key=new)[0][1].partition(",")[2]
    both = [(name, f"{by_old},{by_new}")]
    assert judge(STRIPE, [(name, by_old)], keys=[new, old]).ok
    assert judge(STRIPE, both, keys=[new]).ok
    assert judge(STRIPE, both, keys=[old, other]).ok
    result = judge(STRIPE, both, keys=[other, "another"])
    assert result.detail == "signature does not match (2 keys tried)"
    assert judge(STRIPE, both, keys=[other]).detail == "signature does not match (1 key tried)"


def test_without_keys_nothing_is_accepted() -> None:
    assert judge(STRIPE, signed(STRIPE), keys=[]).failure is VerifyFailure.MISMATCH


def test_too_many_signatures_are_malformed() -> None:
    [(name, value)] = signed(STRIPE)
    assert judge(STRIPE, [(name, value + ",v1=00" * 8)]).failure is VerifyFailure.MALFORMED


def test_sha1_is_no_way_around_sha256() -> None:
    hub = HUB_SHA256
    sha1 = hub.model_copy(update={"algorithm": Algorithm.HMAC_SHA1, "prefix": "sha1="})
    [(name, value)] = signed(sha1)
    assert judge(hub, [(name, value)]).failure is VerifyFailure.MISMATCH
    assert judge(hub, [(name, value.replace("sha1", "sha256"))]).failure is VerifyFailure.MISMATCH


MANGLED = [
    "",
    "sha256=",
    "sha256=00",
    "sha256=" + "0" * 10_000,
    "sha256=zz",
    "sha256=\udcff\udcfe",
    "sha256=é",
    "sha256",
    "=",
    ",",
    " ",
    "v1,",
    "v1,====",
    "v1,AAAA=",
]


@pytest.mark.parametrize("value", MANGLED)
@pytest.mark.parametrize("name", sorted(registry.PRESETS))
def test_mangled_signatures_are_a_mismatch_and_no_exception(name: str, value: str) -> None:
    scheme = registry.get(name).variants[-1].signature
    if scheme is None:
        scheme = SignatureScheme(header="x-sig")
    key = {"Discord": "ab" * 32, "StandardWebhooks": WHSEC, "Svix": WHSEC}.get(name, "secret")
    if name == "Discord":
        key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    headers = [(scheme.header, value), *_companions(scheme)]
    assert judge(scheme, headers, keys=[key]).failure in (
        VerifyFailure.MISMATCH,
        VerifyFailure.MALFORMED,
    )


def _companions(scheme: SignatureScheme) -> list[tuple[str, str]]:
    found = [] if scheme.id_header is None else [(scheme.id_header, "msg_1")]
    if scheme.timestamp is not None and scheme.timestamp.header is not None:
        found.append((scheme.timestamp.header, "1700000000"))
    return found


def test_base64_has_one_form() -> None:
    """The last character of padded base64 has spare bits: another one decodes to the same."""
    scheme = SignatureScheme(header="x-sig", encoding=Encoding.BASE64)
    [(name, value)] = signed(scheme)
    twin = next(
        value[:-2] + c + "="
        for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        if c != value[-2] and base64.b64decode(value[:-2] + c + "=") == base64.b64decode(value)
    )
    assert judge(scheme, [(name, value)]).ok
    assert judge(scheme, [(name, twin)]).failure is VerifyFailure.MISMATCH


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
schemes = st.builds(
    SignatureScheme,
    header=st.just("x-sig"),
    layout=st.sampled_from(Layout),
    algorithm=st.sampled_from(
        [a for a in Algorithm if a.startswith("HMAC")]  # keys of any form
    ),
    encoding=st.sampled_from(Encoding),
    content=st.sampled_from(["{body}", "{url}{body}", "{method}|{timestamp}|{id}|{body}"]),
    id_header=st.just("x-id"),
    timestamp=st.sampled_from(
        [Timestamp(header="x-time", unit=unit) for unit in TimeUnit]
        + [Timestamp(header="x-time", tolerance=None)]
    ),
)


@given(scheme=schemes, body=st.binary(max_size=200), key=st.text(min_size=1).filter(str.strip))
def test_what_is_signed_verifies(scheme: SignatureScheme, body: bytes, key: str) -> None:
    key = key.strip("\r\n")
    if not key.strip() or body.startswith(b"?"):
        return
    assert judge(scheme, signed(scheme, body, key), body, [key]).ok


@pytest.mark.parametrize(("scheme", "vector"), ALL_VECTORS, ids=VECTOR_IDS)
def test_before_the_body_nothing_is_wrong(scheme: SignatureScheme | None, vector: Vector) -> None:
    assert scheme is not None
    names = [(name.lower(), value) for name, value in vector.headers]
    assert early_refusal(scheme, names) is None


@given(value=texts, id_=texts, time=texts, scheme=schemes, body=st.binary(max_size=20))
def test_what_headers_tell_is_what_is_told_in_the_end(
    value: str, id_: str, time: str, scheme: SignatureScheme, body: bytes
) -> None:
    headers = [("x-sig", value), ("x-id", id_), ("x-time", time)]
    for given_headers in (headers, headers[1:], headers[:2], [*headers, headers[0]]):
        early = early_refusal(scheme, given_headers)
        assert early is None or early == judge(scheme, given_headers, body)


def early_refusal(scheme: SignatureScheme, headers: Headers) -> VerifyResult | None:
    """What is wrong before the body is known."""
    try:
        read_signature(scheme, headers)
    except SignatureRefused as refused:
        return refused.result
    return None


@given(value=texts, id_=texts, time=texts, scheme=schemes)
def test_verify_never_raises(value: str, id_: str, time: str, scheme: SignatureScheme) -> None:
    headers = [("x-sig", value), ("x-id", id_), ("x-time", time)]
    assert not judge(scheme, headers).ok
