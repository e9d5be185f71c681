"""Keys that verify: read and checked once, then used for every request.

HMAC: RFC 2104. Ed25519: RFC 8032. ECDSA: FIPS 186-5, DER signatures. RSA: PKCS#1 v1.5, RFC 8017.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    load_der_public_key,
    load_pem_public_key,
)

from hookplane.errors import InvalidValue
from hookplane.secret import Secret
from hookplane.signatures.scheme import Algorithm, KeyEncoding, SignatureScheme

HMAC_HASHES: Final = {
    Algorithm.HMAC_SHA1: "sha1",
    Algorithm.HMAC_SHA256: "sha256",
    Algorithm.HMAC_SHA384: "sha384",
    Algorithm.HMAC_SHA512: "sha512",
}
RSA_BITS: Final = range(2048, 8193)
_ED25519_BYTES: Final = 32
SHORTEST_KEY: Final = 16
"""Bytes of a shared key. A shorter one could be found by trying, and is a typing error or a
placeholder; https://www.standardwebhooks.com asks for 24 to 64."""


class SignedContent:
    """What is signed, hashed at most once however many keys and signatures are tried."""

    def __init__(self, data: bytes) -> None:
        self.data: Final = data

    @cached_property
    def sha256(self) -> bytes:
        """Its SHA-256."""
        return hashlib.sha256(self.data).digest()


class VerificationKey(Protocol):
    """Something that signatures can be checked with."""

    def matches(self, signatures: Sequence[bytes], content: SignedContent) -> bool:
        """Whether any of `signatures` is one of `content`. Never raises."""


def prepare(scheme: SignatureScheme, secret: Secret) -> VerificationKey:
    """Reads a key as it stands in its Secret. Raises InvalidValue; the message says what is wrong
    and never shows the key."""
    material = key_bytes(scheme, secret)
    if scheme.algorithm in HMAC_HASHES:
        return HmacKey(hmac.new(material, digestmod=HMAC_HASHES[scheme.algorithm]))
    if scheme.algorithm is Algorithm.EQUALITY:
        return TokenKey(material)
    return _PUBLIC[scheme.algorithm](material, scheme.key_encoding)


def check_key(scheme: SignatureScheme, secret: Secret) -> None:
    """Raises InvalidValue when `secret` is not a key for `scheme`."""
    prepare(scheme, secret)


def key_bytes(scheme: SignatureScheme, secret: Secret) -> bytes:
    """The key without prefix and encoding; PEM is left as text. Raises InvalidValue."""
    text = secret.reveal()
    if not secret:
        raise InvalidValue("the key is empty")
    if scheme.key_encoding is not KeyEncoding.UTF8:
        text = text.strip()
    elif text != text.strip(b"\r\n"):
        raise InvalidValue("the key begins or ends with a line break; store it without one")
    material = _decoded(scheme, text)
    if not material:
        raise InvalidValue("the key is empty")
    if is_short(material) and scheme.key_encoding in _GENERATED_FORMS:
        raise InvalidValue(
            f"the key has {len(material)} bytes; it must have at least {SHORTEST_KEY}"
        )
    return material


def is_short(material: bytes) -> bool:
    """Whether a shared key is so short that it could be found by trying."""
    return len(material) < SHORTEST_KEY


def _decoded(scheme: SignatureScheme, text: bytes) -> bytes:
    prefix = scheme.key_prefix.encode()
    version, comma, rest = text.partition(b",")
    if prefix and comma and rest.startswith(prefix):
        shown = f"{version.decode(errors='replace')[:8]},"
        raise InvalidValue(
            f'the key begins with "{shown}"; store what follows it, "{prefix.decode()}…"'
        )
    return _DECODERS[scheme.key_encoding](text.removeprefix(prefix))


@dataclass(frozen=True, slots=True, repr=False)
class HmacKey:
    """A shared secret."""

    keyed: hmac.HMAC
    """Has taken in the key and nothing else."""

    def matches(self, signatures: Sequence[bytes], content: SignedContent) -> bool:
        mac = self.keyed.copy()
        mac.update(content.data)
        return _any_equal(mac.digest(), signatures)


@dataclass(frozen=True, slots=True, repr=False)
class TokenKey:
    """A shared secret that is sent as it is."""

    token: bytes

    def matches(self, signatures: Sequence[bytes], content: SignedContent) -> bool:
        return _any_equal(self.token, signatures)


@dataclass(frozen=True, slots=True, repr=False)
class PublicKey:
    """Half of a key pair; `check(signature, content)` raises InvalidSignature."""

    check: Callable[[bytes, SignedContent], None]

    def matches(self, signatures: Sequence[bytes], content: SignedContent) -> bool:
        return any(self._matches(signature, content) for signature in signatures)

    def _matches(self, signature: bytes, content: SignedContent) -> bool:
        try:
            self.check(signature, content)
        except InvalidSignature:
            return False
        return True


def _any_equal(expected: bytes, signatures: Sequence[bytes]) -> bool:
    matches = [hmac.compare_digest(expected, signature) for signature in signatures]
    return True in matches


def _ed25519(material: bytes, encoding: KeyEncoding) -> VerificationKey:
    if encoding is not KeyEncoding.PEM and len(material) == _ED25519_BYTES:
        return _ed25519_key(ed25519.Ed25519PublicKey.from_public_bytes(material))
    public = _load(material, encoding)
    if not isinstance(public, ed25519.Ed25519PublicKey):
        raise InvalidValue("the key is not an Ed25519 public key (32 bytes)")
    return _ed25519_key(public)


def _ed25519_key(public: ed25519.Ed25519PublicKey) -> VerificationKey:
    """It hashes the content with what is in the signature, so each time anew."""
    return PublicKey(lambda signature, content: public.verify(signature, content.data))


def _ecdsa(material: bytes, encoding: KeyEncoding) -> VerificationKey:
    public = _load(material, encoding)
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise InvalidValue("the key is not a public key on the curve P-256")
    algorithm = ec.ECDSA(Prehashed(SHA256()))
    return PublicKey(lambda signature, content: public.verify(signature, content.sha256, algorithm))


def _rsa(material: bytes, encoding: KeyEncoding) -> VerificationKey:
    public = _load(material, encoding)
    if not isinstance(public, rsa.RSAPublicKey) or public.key_size not in RSA_BITS:
        raise InvalidValue("the key is not an RSA public key of 2048 to 8192 bits")
    scheme, digest = padding.PKCS1v15(), Prehashed(SHA256())
    return PublicKey(
        lambda signature, content: public.verify(signature, content.sha256, scheme, digest)
    )


_PUBLIC: Final[dict[Algorithm, Callable[[bytes, KeyEncoding], VerificationKey]]] = {
    Algorithm.ED25519: _ed25519,
    Algorithm.ECDSA_P256_SHA256: _ecdsa,
    Algorithm.RSA_SHA256: _rsa,
}


def _load(material: bytes, encoding: KeyEncoding) -> object:
    if b"PRIVATE KEY" in material:
        raise InvalidValue("this is a private key; the sender's public key is wanted")
    load = load_pem_public_key if encoding is KeyEncoding.PEM else load_der_public_key
    try:
        return load(material)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidValue(f"the key is not a public key in {encoding} form") from None


def _from_hex(text: bytes) -> bytes:
    try:
        return binascii.unhexlify(text)
    except ValueError:
        raise InvalidValue("the key is not hexadecimal") from None


def _from_base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise InvalidValue("the key is not base64") from None


def _as_it_is(text: bytes) -> bytes:
    return text


_GENERATED_FORMS: Final = frozenset({KeyEncoding.BASE64, KeyEncoding.HEX})
"""Forms of keys that a program made. What people choose, for GitHub say, may be short."""
_DECODERS: Final[dict[KeyEncoding, Callable[[bytes], bytes]]] = {
    KeyEncoding.UTF8: _as_it_is,
    KeyEncoding.PEM: _as_it_is,
    KeyEncoding.HEX: _from_hex,
    KeyEncoding.BASE64: _from_base64,
}
