from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from hookplane.errors import InvalidValue
from hookplane.secret import Secret
from hookplane.signatures.deliver import (
    check_signing_key,
    generate_key,
    make_signer,
    public_key,
)
from hookplane.signatures.scheme import Algorithm, Encoding
from hookplane.signatures.signing import CustomFormat, GeneratedKind, SigningConfig, SigningScheme

BODY = '{"a": "ü"}'.encode()
NOW = 1_700_000_000
URL = "https://shop.test/hooks?a=1"


def headers(config: SigningConfig, body: bytes = BODY, at: int = NOW) -> dict[str, str]:
    return dict(make_signer(config).headers("evt_1", at, URL, body))


def key(kind: GeneratedKind = GeneratedKind.WHSEC) -> Secret:
    return generate_key(kind, secrets.token_bytes)


def test_v1_is_accepted_by_the_reference_library() -> None:
    old, new, other = key(), key(), key()
    now = int(datetime.now(UTC).timestamp())  # the library compares with its own clock
    signed = headers(SigningConfig(keys=(old, new)), at=now)
    assert set(signed) == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    for accepted in (old, new):  # during a rotation receivers may know either
        Webhook(accepted.reveal().decode()).verify(BODY, signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(other.reveal().decode()).verify(BODY, signed)


def test_v1a_verifies_with_the_public_key() -> None:
    private = key(GeneratedKind.WHSK)
    signed = headers(SigningConfig(scheme=SigningScheme.ED25519, keys=(private,)))
    version, _, signature = signed["webhook-signature"].partition(",")
    assert version == "v1a"
    text = public_key(private)
    assert text.startswith("whpk_")
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(text.removeprefix("whpk_")))
    content = f"evt_1.{NOW}.".encode() + BODY
    public.verify(base64.b64decode(signature), content)
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(signature), content + b" ")


def test_an_ed25519_key_with_its_public_half() -> None:
    private = Ed25519PrivateKey.generate()
    seed, public = private.private_bytes_raw(), private.public_key().public_bytes_raw()
    whole = Secret(b"whsk_" + base64.b64encode(seed + public))
    assert public_key(whole) == "whpk_" + base64.b64encode(public).decode()
    with pytest.raises(InvalidValue, match="do not belong together"):
        public_key(Secret(b"whsk_" + base64.b64encode(seed + bytes(32))))


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("encoding", list(Encoding))
def test_custom_forms(algorithm: str, encoding: Encoding) -> None:
    form = CustomFormat(
        header="X-Signature",
        prefix=f"{algorithm}=",
        algorithm=Algorithm(f"HMAC-{algorithm.upper()}"),
        encoding=encoding,
        content="{timestamp}:{method}:{url}:{id}:{body}",
        id_header="X-Id",
        timestamp_header="X-Time",
    )
    signed = headers(
        SigningConfig(scheme=SigningScheme.CUSTOM, keys=(Secret("geheim"),), custom=form)
    )
    content = f"{NOW}:POST:{URL}:evt_1:".encode() + BODY
    digest = hmac.digest(b"geheim", content, algorithm)
    text = digest.hex() if encoding is Encoding.HEX else base64.b64encode(digest).decode()
    assert signed["x-signature"] == f"{algorithm}={text}"
    assert (signed["x-id"], signed["x-time"]) == ("evt_1", str(NOW))
    assert signed["webhook-id"] == "evt_1"


def test_custom_with_two_keys_over_the_body() -> None:
    form = CustomFormat(header="x-hub-signature-256", prefix="sha256=")
    keys = (Secret("one"), Secret("two"))
    signed = headers(SigningConfig(scheme=SigningScheme.CUSTOM, keys=keys, custom=form))
    expected = ["sha256=" + hmac.new(k, BODY, hashlib.sha256).hexdigest() for k in (b"one", b"two")]
    assert signed["x-hub-signature-256"] == ",".join(expected)


def test_none_identifies_and_does_not_sign() -> None:
    assert headers(SigningConfig(scheme=SigningScheme.NONE)) == {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(NOW),
    }


@pytest.mark.parametrize(
    ("scheme", "text", "reason"),
    [
        (SigningScheme.STANDARD, "whsec_", "not whsec_ followed by base64"),
        (SigningScheme.STANDARD, "whsec_not base64!", "not whsec_ followed by base64"),
        (SigningScheme.STANDARD, "whsec_c2hvcnQ=", "5 bytes"),
        (SigningScheme.ED25519, "whsk_c2hvcnQ=", "not an Ed25519 private key"),
        (SigningScheme.ED25519, "", "not whsk_ followed by base64"),
        (SigningScheme.CUSTOM, "  ", "empty"),
        (SigningScheme.CUSTOM, "secret\n", "line break"),
    ],
)
def test_keys_that_are_none(scheme: SigningScheme, text: str, reason: str) -> None:
    with pytest.raises(InvalidValue, match=reason) as caught:
        check_signing_key(scheme, Secret(text))
    shown = text.strip().removeprefix("whsec_").removeprefix("whsk_")
    assert not shown or shown not in str(caught.value)


def test_generated_keys_fit_their_scheme() -> None:
    check_signing_key(SigningScheme.STANDARD, key())
    check_signing_key(SigningScheme.ED25519, key(GeneratedKind.WHSK))
    check_signing_key(SigningScheme.CUSTOM, key(GeneratedKind.HEX))
    check_signing_key(SigningScheme.NONE, Secret(""))
    assert len(key(GeneratedKind.HEX).reveal()) == 64
    assert key() != key()


def test_a_config_without_keys_or_form_is_refused() -> None:
    with pytest.raises(InvalidValue, match="no key"):
        make_signer(SigningConfig())
    with pytest.raises(InvalidValue, match="needs its form"):
        make_signer(SigningConfig(scheme=SigningScheme.CUSTOM, keys=(Secret("a"),)))
