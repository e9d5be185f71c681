"""PEM texts of users: what is taken, and what is said about the rest."""

from __future__ import annotations

import base64
import datetime
from textwrap import wrap

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hookplane.errors import InvalidValue
from hookplane.network.certificates import (
    check_certificates,
    check_pair,
    check_server_pair,
    check_subject,
    weak_key,
    weak_signature,
)
from hookplane.secret import Secret
from support.kubernetes.pki import Authority, Pair

RSA_1024 = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it is to be refused
AUTHORITY = Authority("ca")
OWN = AUTHORITY.server("receiver", ["receiver"], [])
OTHER = AUTHORITY.server("other", ["other"], [])
OID_OF_EC_KEYS = bytes.fromhex("06072a8648ce3d0201")
OID_OF_NOTHING = bytes.fromhex("06072a8648ce3d027f")
RSA_WITH = bytes.fromhex("2a864886f70d0101")
"""How the names of RSA signatures begin; the last byte says with which digest."""
RSA_2048 = rsa.generate_private_key(65537, 2048)
SHORT = AUTHORITY.client("short", key=RSA_1024)


def secrets(pair: Pair) -> tuple[Secret, Secret]:
    return Secret(pair.certificate), Secret(pair.key)


def test_several_certificates() -> None:
    assert len(check_certificates(Secret(OWN.certificate + AUTHORITY.certificate))) == 2


@pytest.mark.parametrize("text", [b"", b"no PEM", OWN.key])
def test_what_is_no_certificate(text: bytes) -> None:
    with pytest.raises(InvalidValue, match="holds no PEM certificate"):
        check_certificates(Secret(text))


def test_a_pair_with_its_chain() -> None:
    chain = Secret(OWN.certificate + AUTHORITY.certificate)
    pair = check_pair(chain, Secret(OWN.key))
    assert [x.subject.rfc4514_string() for x in pair.chain] == ["CN=receiver", "CN=ca"]


def test_the_key_of_another_certificate() -> None:
    with pytest.raises(InvalidValue, match=r"tls\.key is not the key of the certificate"):
        check_pair(Secret(OWN.certificate), Secret(OTHER.key))


@pytest.mark.parametrize("key", [b"", b"hush-hush", OWN.certificate])
def test_what_is_no_key(key: bytes) -> None:
    with pytest.raises(InvalidValue, match=r"tls\.key is not a PEM private key") as raised:
        check_pair(Secret(OWN.certificate), Secret(key))
    assert "hush-hush" not in str(raised.value)


def test_a_server_needs_a_key_of_some_length() -> None:
    assert check_pair(*secrets(SHORT)).chain
    with pytest.raises(InvalidValue, match=r"in tls\.crt has a key of less than 2048 bits"):
        check_server_pair(*secrets(SHORT))
    assert check_server_pair(*secrets(OWN)).chain


@pytest.mark.parametrize(
    ("key", "weak"),
    [
        (RSA_1024, "has a key of less than 2048 bits"),
        (RSA_2048, ""),
        (ec.generate_private_key(ec.SECP192R1()), "has a key of less than 224 bits"),
        (ec.generate_private_key(ec.SECP224R1()), ""),
    ],
    ids=["RSA-1024", "RSA-2048", "EC-192", "EC-224"],
)
def test_keys_that_are_too_short(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, weak: str
) -> None:
    (certificate,) = check_certificates(Secret(AUTHORITY.client("x", key=key).certificate))
    assert weak_key(certificate) == weak


def damaged(pem: bytes, old: bytes, new: bytes) -> Secret:
    """The same PEM with other bytes in what it encodes."""
    first, *lines, last = pem.decode().strip().splitlines()
    inside = base64.b64decode("".join(lines))
    assert old in inside
    text = base64.b64encode(inside.replace(old, new)).decode()
    return Secret("\n".join([first, *wrap(text, 64), last, ""]))


def test_a_key_that_is_no_point_of_its_curve() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    pem = AUTHORITY.client("x", key=key).certificate
    (certificate,) = check_certificates(damaged(pem, point, b"\4" + bytes(64)))
    assert weak_key(certificate) == "has a key that is not supported"


def test_a_private_key_of_an_algorithm_that_nobody_knows() -> None:
    key = damaged(OWN.key, OID_OF_EC_KEYS, OID_OF_NOTHING)
    with pytest.raises(InvalidValue, match=r"tls\.key is not a PEM private key"):
        check_pair(Secret(OWN.certificate), key)


@pytest.mark.parametrize(
    ("digest", "weak"),
    [
        ("0b", ""),
        ("05", "is signed with SHA1"),
        ("04", "is signed with MD5"),
        ("7f", "has a signature that is not supported"),
    ],
)
def test_signatures_that_are_too_weak(digest: str, weak: str) -> None:
    made = self_signed(RSA_2048, hashes.SHA256()).public_bytes(Encoding.PEM)
    changed = damaged(made, RSA_WITH + b"\x0b", RSA_WITH + bytes.fromhex(digest))
    (certificate,) = check_certificates(changed)
    assert weak_signature(certificate) == weak


def test_a_signature_without_a_digest_is_not_weak() -> None:
    assert weak_signature(self_signed(ed25519.Ed25519PrivateKey.generate(), None)) == ""


def self_signed(
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, digest: hashes.SHA256 | None
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    name = check_subject("CN=x")
    return x509.CertificateBuilder(name, name, key.public_key(), 1, now, now).sign(key, digest)


def test_subjects() -> None:
    assert check_subject("CN=erp,O=Partner").rfc4514_string() == "CN=erp,O=Partner"


@pytest.mark.parametrize("text", ["", "erp", "/CN=erp", "CN"])
def test_what_is_no_subject(text: str) -> None:
    with pytest.raises(InvalidValue, match="is no subject such as"):
        check_subject(text)
