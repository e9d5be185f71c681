"""Certificates and private keys as PEM texts: reads them, and says what is wrong with them."""

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
"""Shorter keys prove nothing any more, and neither do signatures over `_BROKEN_DIGESTS`."""
UNREADABLE: Final = (
    ValueError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises about certificates that OpenSSL accepts, some of it only when a part
of them is read."""
_BROKEN_DIGESTS: Final = frozenset({"md5", "sha1"})


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its chain and its private key."""

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
    """Reads both; the key must belong to the first certificate. Raises InvalidValue, whose message
    shows nothing of the key."""
    chain = check_certificates(certificate)
    own = _private_key(key)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if own.public_key().public_bytes(*form) != chain[0].public_key().public_bytes(*form):
        raise InvalidValue("tls.key is not the key of the certificate in tls.crt")
    return Pair(tuple(chain), own)


def check_server_pair(certificate: Secret, key: Secret) -> Pair:
    """A pair that a server can use: the same, and the key is long enough. Raises InvalidValue."""
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
    """Why the certificate's key is too weak, to be put after its name; empty: it is not."""
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
    """Why the issuer's signature is too weak, to be put after its name; empty: it is not."""
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
