"""The sender's side of a scheme: headers that `verify` accepts."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_pem_private_key,
)

from hookplane.clock import Millis
from hookplane.errors import InvalidValue
from hookplane.network.headers import TEXT_ERRORS
from hookplane.secret import Secret
from hookplane.signatures.form import encode, write_header
from hookplane.signatures.keys import HMAC_HASHES, key_bytes
from hookplane.signatures.scheme import Algorithm, KeyEncoding, SignatureScheme, TimeUnit
from hookplane.signatures.template import signed_content

_PRIVATE_PREFIX: Final = {"whpk_": "whsk_"}
"""Standard Webhooks writes the two halves of a pair with different prefixes."""
_SEED_BYTES: Final = 32


def sign_request(
    scheme: SignatureScheme,
    key: Secret,
    *,
    method: str,
    url: str,
    body: bytes,
    id: str,  # noqa: A002
    now: Millis,
) -> list[tuple[str, str]]:
    """Headers (names in lower case) of a request signed with one key; public-key algorithms want
    the private key, in the same encoding. Raises InvalidValue for a key that cannot sign."""
    time = _time_text(scheme, now)
    values = {"{id}": id, "{timestamp}": time, "{method}": method, "{url}": url}
    signature = _signature(scheme, key, signed_content(scheme.content, body, values))
    headers = [(scheme.header, write_header(scheme, signature, time))]
    if scheme.id_header is not None:
        headers.append((scheme.id_header, id))
    if scheme.timestamp is not None and scheme.timestamp.header is not None:
        headers.append((scheme.timestamp.header, time))
    return headers


def _time_text(scheme: SignatureScheme, now: Millis) -> str:
    if scheme.timestamp is None:
        return ""
    if scheme.timestamp.unit is TimeUnit.SECONDS:
        return str(now // 1000)
    if scheme.timestamp.unit is TimeUnit.MILLISECONDS:
        return str(now)
    return datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds")


def _signature(scheme: SignatureScheme, key: Secret, content: bytes) -> str:
    if scheme.algorithm is Algorithm.EQUALITY:
        return key_bytes(scheme, key).decode("utf-8", TEXT_ERRORS)
    if scheme.algorithm in HMAC_HASHES:
        digest = hmac.digest(key_bytes(scheme, key), content, HMAC_HASHES[scheme.algorithm])
        return encode(digest, scheme.encoding)
    prefix = _PRIVATE_PREFIX.get(scheme.key_prefix, scheme.key_prefix)
    material = key_bytes(scheme.model_copy(update={"key_prefix": prefix}), key)
    private = _private_key(scheme, material)
    return encode(_SIGNERS[scheme.algorithm](private, content), scheme.encoding)


def _private_key(scheme: SignatureScheme, material: bytes) -> object:
    raw = scheme.key_encoding is not KeyEncoding.PEM
    if scheme.algorithm is Algorithm.ED25519 and raw and len(material) == _SEED_BYTES:
        return ed25519.Ed25519PrivateKey.from_private_bytes(material)
    load = load_der_private_key if raw else load_pem_private_key
    try:
        return load(material, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidValue(f"the key is not a private key in {scheme.key_encoding} form") from None


def _sign_ed25519(key: object, content: bytes) -> bytes:
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise InvalidValue("the key is not an Ed25519 private key")
    return key.sign(content)


def _sign_ecdsa(key: object, content: bytes) -> bytes:
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InvalidValue("the key is not a private key on the curve P-256")
    return key.sign(content, ec.ECDSA(SHA256()))


def _sign_rsa(key: object, content: bytes) -> bytes:
    if not isinstance(key, rsa.RSAPrivateKey):
        raise InvalidValue("the key is not an RSA private key")
    return key.sign(content, padding.PKCS1v15(), SHA256())


_SIGNERS: Final[dict[Algorithm, Callable[[object, bytes], bytes]]] = {
    Algorithm.ED25519: _sign_ed25519,
    Algorithm.ECDSA_P256_SHA256: _sign_ecdsa,
    Algorithm.RSA_SHA256: _sign_rsa,
}
