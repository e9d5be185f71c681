"""PEM texts: certificates and private keys, read before they are ever used."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from hookplane.errors import InvalidValue
from hookplane.secret import Secret


def check_certificates(pem: Secret) -> list[x509.Certificate]:
    """The certificates of a PEM text, at least one. Raises InvalidValue."""
    try:
        return x509.load_pem_x509_certificates(pem.reveal())
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidValue("holds no PEM certificate (-----BEGIN CERTIFICATE-----)") from None


def check_pair(certificate: Secret, key: Secret) -> None:
    """The key must be the first certificate's. Raises InvalidValue; nothing of the key is shown."""
    shown = check_certificates(certificate)[0].public_key()
    own = _private_key(key).public_key()
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if own.public_bytes(*form) != shown.public_bytes(*form):
        raise InvalidValue("tls.key is not the key of the certificate in tls.crt")


def _private_key(pem: Secret) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem.reveal(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidValue("tls.key is not a PEM private key without a password") from None
