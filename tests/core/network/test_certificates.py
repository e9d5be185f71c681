"""PEM texts of users: what is taken, and what is said about the rest."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hookplane.errors import InvalidValue
from hookplane.network.certificates import (
    check_certificates,
    check_pair,
    check_server_pair,
    check_subject,
    weak_key,
)
from hookplane.secret import Secret
from support.kubernetes.pki import Authority, Pair

RSA_1024 = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it is to be refused
AUTHORITY = Authority("ca")
OWN = AUTHORITY.server("receiver", ["receiver"], [])
OTHER = AUTHORITY.server("other", ["other"], [])
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
        (rsa.generate_private_key(65537, 2048), ""),
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


def test_subjects() -> None:
    assert check_subject("CN=erp,O=Partner").rfc4514_string() == "CN=erp,O=Partner"


@pytest.mark.parametrize("text", ["", "erp", "/CN=erp", "CN"])
def test_what_is_no_subject(text: str) -> None:
    with pytest.raises(InvalidValue, match="is no subject such as"):
        check_subject(text)
