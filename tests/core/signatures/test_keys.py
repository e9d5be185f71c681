"""Keys as people store them, and what is wrong with them in words."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding as Form,
)
from cryptography.hazmat.primitives.serialization import (
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from hookplane.errors import InvalidValue
from hookplane.providers import registry
from hookplane.secret import Secret
from hookplane.signatures.keys import SignedContent, check_key, prepare
from hookplane.signatures.request import sign_request
from hookplane.signatures.scheme import (
    Algorithm,
    Encoding,
    KeyEncoding,
    Layout,
    SignatureScheme,
)
from hookplane.signatures.verify import (
    SignedRequest,
    VerifyFailure,
    VerifyResult,
    hashed_bytes,
    verify,
)

NOW = 1_700_000_000_000
Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

PRIVATE: dict[Algorithm, Private] = {
    Algorithm.ED25519: ed25519.Ed25519PrivateKey.generate(),
    Algorithm.ECDSA_P256_SHA256: ec.generate_private_key(ec.SECP256R1()),
    Algorithm.RSA_SHA256: rsa.generate_private_key(65537, 2048),
}


def pair(key: Private, encoding: KeyEncoding) -> tuple[Secret, Secret]:
    """Private and public half as they would stand in Secrets."""
    form = Form.PEM if encoding is KeyEncoding.PEM else Form.DER
    private = key.private_bytes(form, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(form, PublicFormat.SubjectPublicKeyInfo)
    if encoding is KeyEncoding.HEX:
        return Secret(private.hex()), Secret(public.hex())
    if encoding is KeyEncoding.BASE64:
        return Secret(base64.b64encode(private)), Secret(base64.b64encode(public))
    return Secret(private), Secret(public)


@pytest.mark.parametrize("signed_as", Encoding)
@pytest.mark.parametrize("written_as", [KeyEncoding.PEM, KeyEncoding.BASE64, KeyEncoding.HEX])
@pytest.mark.parametrize("algorithm", list(PRIVATE))
def test_public_keys_verify_what_private_keys_sign(
    algorithm: Algorithm, written_as: KeyEncoding, signed_as: Encoding
) -> None:
    scheme = SignatureScheme(
        header="x-sig", algorithm=algorithm, key_encoding=written_as, encoding=signed_as
    )
    private, public = pair(PRIVATE[algorithm], written_as)
    headers = sign_request(scheme, private, method="POST", url="", body=b"x", id="1", now=NOW)
    key = prepare(scheme, public)
    assert verify(scheme, [key], SignedRequest("POST", "", headers, b"x"), NOW).ok
    other = verify(scheme, [key], SignedRequest("POST", "", headers, b"y"), NOW)
    assert other.failure is VerifyFailure.MISMATCH
    short = [("x-sig", headers[0][1][:8])]
    assert (
        verify(scheme, [key], SignedRequest("POST", "", short, b"x"), NOW).failure
        is VerifyFailure.MISMATCH
    )


@pytest.mark.parametrize("algorithm", [Algorithm.ECDSA_P256_SHA256, Algorithm.RSA_SHA256])
def test_what_was_hashed_is_not_hashed_again(algorithm: Algorithm) -> None:
    """Or a large body would cost as many times its length as there are keys and signatures."""
    scheme = SignatureScheme(header="x", algorithm=algorithm, key_encoding=KeyEncoding.PEM)
    private, public = pair(PRIVATE[algorithm], KeyEncoding.PEM)
    [(_, text)] = sign_request(scheme, private, method="POST", url="", body=b"x", id="1", now=NOW)
    signature = bytes.fromhex(text)
    content = SignedContent(b"x")
    assert content.sha256 is content.sha256
    content.data = b"a body of which nobody wants to know any more"  # type: ignore[misc]
    assert prepare(scheme, public).matches([b"another", signature], content)


def test_standard_webhooks_pairs_have_prefixes() -> None:
    key = PRIVATE[Algorithm.ED25519]
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    private = Secret("whsk_" + base64.b64encode(key.private_bytes_raw()).decode())
    public = Secret("whpk_" + base64.b64encode(key.public_key().public_bytes_raw()).decode())
    scheme = registry.get("StandardWebhooks").variant([public]).signature
    assert scheme is not None
    headers = sign_request(scheme, private, method="POST", url="", body=b"x", id="1", now=NOW)
    request = SignedRequest("POST", "", headers, b"x")
    assert verify(scheme, [prepare(scheme, public)], request, NOW).ok


def judged(wrong: int, keys: int, right: int = 0) -> VerifyResult:
    """A request with so many wrong signatures, and then the right one so often, at an endpoint with
    so many keys."""
    private, public = pair(PRIVATE[Algorithm.ED25519], KeyEncoding.HEX)
    scheme = VERSIONED_ED25519
    signatures = ["v1," + base64.b64encode(bytes([x]) * 64).decode() for x in range(wrong)]
    [(_, text)] = sign_request(scheme, private, method="POST", url="", body=b"x", id="1", now=NOW)
    value = " ".join([*signatures, *[text] * right])
    request = SignedRequest("POST", "", [("x", value)], b"x")
    return verify(scheme, [prepare(scheme, public)] * keys, request, NOW)


VERSIONED_ED25519 = SignatureScheme(
    header="x",
    layout=Layout.VERSIONED,
    algorithm=Algorithm.ED25519,
    encoding=Encoding.BASE64,
    key_encoding=KeyEncoding.HEX,
)


@pytest.mark.parametrize(
    ("signatures", "keys", "refused"), [(2, 8, False), (8, 2, False), (3, 8, True), (8, 3, True)]
)
def test_so_many_signatures_are_tried_with_so_many_keys(
    signatures: int, keys: int, refused: bool
) -> None:
    """Each try of Ed25519 hashes the content anew."""
    found = judged(signatures, keys)
    detail = f"header x has {signatures} signatures, too many for {keys} keys"
    no_match = f"signature does not match ({keys} keys tried)"
    assert found.detail == (detail if refused else no_match)
    assert judged(signatures - 1, keys, right=1).ok is not refused


def test_a_signature_that_is_repeated_is_tried_once() -> None:
    assert judged(1, 8, right=7).ok


@pytest.mark.parametrize(
    ("scheme", "keys", "times"),
    [
        (SignatureScheme(header="x"), 8, 1),
        (SignatureScheme(header="x", algorithm=Algorithm.RSA_SHA256), 8, 1),
        (SignatureScheme(header="x", algorithm=Algorithm.ED25519), 1, 1),
        (SignatureScheme(header="x", algorithm=Algorithm.ED25519), 8, 8),
        (VERSIONED_ED25519, 1, 8),
        (VERSIONED_ED25519, 8, 16),
    ],
)
def test_how_much_is_hashed_is_known_beforehand(
    scheme: SignatureScheme, keys: int, times: int
) -> None:
    assert hashed_bytes(scheme, keys, 1000) == 1000 * times


HMAC = SignatureScheme(header="x")
HEX = SignatureScheme(header="x", key_encoding=KeyEncoding.HEX)
BASE64 = SignatureScheme(header="x", key_encoding=KeyEncoding.BASE64, key_prefix="whsec_")
A22 = "A" * 22
"""Sixteen bytes in base64, without its padding."""
PEM_ED25519 = SignatureScheme(header="x", algorithm=Algorithm.ED25519, key_encoding=KeyEncoding.PEM)
PEM_P256 = PEM_ED25519.model_copy(update={"algorithm": Algorithm.ECDSA_P256_SHA256})
PEM_RSA = PEM_ED25519.model_copy(update={"algorithm": Algorithm.RSA_SHA256})
RAW_ED25519 = SignatureScheme(header="x", algorithm=Algorithm.ED25519, key_encoding=KeyEncoding.HEX)
P384 = pair(ec.generate_private_key(ec.SECP384R1()), KeyEncoding.PEM)[1]
WEAK_RSA = pair(rsa.generate_private_key(65537, 1024), KeyEncoding.PEM)[1]  # noqa: S505 - to be refused

OID_OF_ED25519, OID_OF_NOTHING = "06032b6570", "06032b6501"

BAD = [
    (HMAC, Secret(""), "empty"),
    (HMAC, Secret(" \n\t"), "empty"),
    (HMAC, Secret("secret\n"), "line break"),  # echo without -n
    (HEX, Secret("secret"), "not hexadecimal"),
    (BASE64, Secret("whsec_"), "empty"),
    (BASE64, Secret("whsec_se_cret"), "not base64"),
    (BASE64, Secret("whpk_AAAA"), "not base64"),  # a key of another kind
    (
        BASE64,
        Secret("v1,whsec_AAAA"),
        '^the key begins with "v1,"; store what follows it, "whsec_…"$',
    ),
    (BASE64, Secret("whsec_MQ=="), "^the key has 1 bytes; it must have at least 16$"),
    (BASE64, Secret(f"whsec_{'A' * 20}"), "has 15 bytes"),
    (HEX, Secret("ab" * 15), "has 15 bytes"),
    (RAW_ED25519, Secret("ab" * 31), "not a public key"),
    (PEM_ED25519, Secret("no pem"), "not a public key in PEM form"),
    (PEM_ED25519, pair(PRIVATE[Algorithm.ED25519], KeyEncoding.PEM)[0], "private key"),
    (PEM_ED25519, P384, "Ed25519"),
    (PEM_P256, P384, "P-256"),
    (PEM_RSA, WEAK_RSA, "2048"),
]


@pytest.mark.parametrize(("scheme", "key", "words"), BAD)
def test_a_bad_key_is_told_in_words_without_showing_it(
    scheme: SignatureScheme, key: Secret, words: str
) -> None:
    with pytest.raises(InvalidValue, match=words) as raised:
        check_key(scheme, key)
    text = key.reveal().decode().strip()
    assert not text or text not in str(raised.value)


@pytest.mark.parametrize("text", [f"whsec_{A22}==", f"{A22}==", f"whsec_{A22}==\n", f"whsec_{A22}"])
def test_prefix_padding_and_line_ends_of_base64_keys_do_not_matter(text: str) -> None:
    check_key(BASE64, Secret(text))


def test_keys_do_not_show_themselves() -> None:
    assert "secret" not in repr(prepare(HMAC, Secret("secret")))


def test_a_public_key_cannot_sign() -> None:
    public = pair(PRIVATE[Algorithm.ED25519], KeyEncoding.PEM)[1]
    with pytest.raises(InvalidValue, match="not a private key"):
        sign_request(PEM_ED25519, public, method="POST", url="", body=b"", id="", now=NOW)


def of_no_known_algorithm(key: Secret) -> Secret:
    return Secret(key.reveal().decode().replace(OID_OF_ED25519, OID_OF_NOTHING, 1))


def test_keys_of_an_algorithm_that_nobody_knows_are_refused() -> None:
    halves = pair(PRIVATE[Algorithm.ED25519], KeyEncoding.HEX)
    private, public = (of_no_known_algorithm(half) for half in halves)
    with pytest.raises(InvalidValue, match="not a public key in Hex form"):
        check_key(RAW_ED25519, public)
    with pytest.raises(InvalidValue, match="not a private key in Hex form"):
        sign_request(RAW_ED25519, private, method="POST", url="", body=b"", id="", now=NOW)


WRONG_CURVE = ec.generate_private_key(ec.SECP384R1())
OTHERS = [
    (algorithm, key)
    for algorithm in PRIVATE
    for key in [*PRIVATE.values(), WRONG_CURVE]
    if key is not PRIVATE[algorithm]
]


@pytest.mark.parametrize(("algorithm", "key"), OTHERS)
def test_the_public_key_of_another_algorithm_or_curve_is_refused(
    algorithm: Algorithm, key: Private
) -> None:
    scheme = SignatureScheme(header="x-sig", algorithm=algorithm, key_encoding=KeyEncoding.PEM)
    with pytest.raises(InvalidValue, match="the key is not a"):
        prepare(scheme, pair(key, KeyEncoding.PEM)[1])


@pytest.mark.parametrize(
    ("algorithm", "key"), [(x, key) for x, key in OTHERS if key is not WRONG_CURVE]
)
def test_the_private_key_of_another_algorithm_signs_nothing(
    algorithm: Algorithm, key: Private
) -> None:
    scheme = SignatureScheme(header="x-sig", algorithm=algorithm, key_encoding=KeyEncoding.PEM)
    private = pair(key, KeyEncoding.PEM)[0]
    with pytest.raises(InvalidValue, match="the key is not a"):
        sign_request(scheme, private, method="POST", url="", body=b"x", id="1", now=NOW)
