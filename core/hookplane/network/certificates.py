"""PEM texts: certificates and private keys, read before they are ever used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from hookplane.errors import InvalidValue
from hookplane.secret import Secret

RSA_BITS: Final = 2048
EC_BITS: Final = 224
"""Shorter keys, and signatures over the digests below, prove nothing any more."""
UNREADABLE: Final = (
    ValueError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises about what OpenSSL takes; it reads parts when they are asked for."""
_BROKEN_DIGESTS: Final = frozenset({"md5", "sha1"})


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate, those that vouch for it, and its key."""

    chain: tuple[x509.Certificate, ...]
    """Own certificate first."""
    key: PrivateKeyTypes


def check_certificates(pem: Secret) -> list[x509.Certificate]:
    """The certificates of a PEM text, at least one. Raises InvalidValue."""
    try:
        return x509.load_pem_x509_certificates(pem.reveal())
    except (*UNREADABLE, UnsupportedAlgorithm):
        raise InvalidValue("holds no PEM certificate (-----BEGIN CERTIFICATE-----)") from None


def check_pair(certificate: Secret, key: Secret) -> Pair:
    """The key must be the first certificate's. Raises InvalidValue; nothing of the key is shown."""
    chain = check_certificates(certificate)
    own = _private_key(key)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if own.public_key().public_bytes(*form) != chain[0].public_key().public_bytes(*form):
        raise InvalidValue("tls.key is not the key of the certificate in tls.crt")
    return Pair(tuple(chain), own)


def check_server_pair(certificate: Secret, key: Secret) -> Pair:
    """A pair that a server can show. Raises InvalidValue."""
    pair = check_pair(certificate, key)
    weak = weak_key(pair.chain[0])
    if weak:
        raise InvalidValue(f"the certificate in tls.crt {weak}")
    return pair


def check_subject(text: str) -> x509.Name:
    """A subject as RFC 4514 writes it. Raises InvalidValue."""
    try:
        name = x509.Name.from_rfc4514_string(text)
    except ValueError:
        name = x509.Name([])
    if not name.rdns:
        raise InvalidValue(
            f'"{text}" is no subject such as "CN=erp.partner.example,O=Partner,C=DE" (RFC 4514); '
            "openssl x509 -noout -subject -nameopt RFC2253 prints a certificate's"
        )
    return name


def weak_key(certificate: x509.Certificate) -> str:
    """Why its key proves nothing; empty: it does."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "has a key that is not supported"
    if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey):
        return f"has a key of less than {RSA_BITS} bits" if key.key_size < RSA_BITS else ""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"has a key of less than {EC_BITS} bits" if key.key_size < EC_BITS else ""
    return ""


def weak_signature(certificate: x509.Certificate) -> str:
    """Why the signature of its issuer proves nothing; empty: it does."""
    try:
        digest = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "has a signature that is not supported"
    weak = digest is not None and digest.name in _BROKEN_DIGESTS
    return f"is signed with {digest.name.upper()}" if digest and weak else ""


def _private_key(pem: Secret) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem.reveal(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidValue("tls.key is not a PEM private key without a password") from None
