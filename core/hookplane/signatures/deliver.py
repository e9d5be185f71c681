"""Signing what goes out: Standard Webhooks v1 and v1a, and forms that existing receivers expect.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hookplane.errors import InvalidValue
from hookplane.ids import RandomBytes
from hookplane.secret import Secret
from hookplane.signatures.form import encode
from hookplane.signatures.keys import HMAC_HASHES, SHORTEST_KEY
from hookplane.signatures.signing import CustomFormat, GeneratedKind, SigningConfig, SigningScheme
from hookplane.signatures.template import signed_content

V1_PREFIX: Final = "whsec_"
V1A_PREFIX: Final = "whsk_"
V1A_PUBLIC_PREFIX: Final = "whpk_"
V1_KEY_BYTES: Final = range(SHORTEST_KEY, 1025)
_SEED_BYTES: Final = 32
_GENERATED_BYTES: Final = 32

SignedHeaders = list[tuple[str, str]]


class Signer(Protocol):
    """Makes the headers that identify and sign one attempt."""

    def headers(self, event_id: str, timestamp: int, url: str, body: bytes) -> SignedHeaders:
        """`webhook-id`, `webhook-timestamp` and signatures; `timestamp` in Unix seconds."""


def make_signer(config: SigningConfig) -> Signer:
    """Reads the keys once. Raises InvalidValue for a key that is none; it never shows the key."""
    if config.scheme is SigningScheme.NONE:
        return Unsigned()
    if not config.keys:
        raise InvalidValue("there is no key to sign with")
    if config.scheme is SigningScheme.CUSTOM:
        if config.custom is None:
            raise InvalidValue("scheme Custom needs its form")
        return CustomSigner(config.custom, config.keys)
    prepare = _v1 if config.scheme is SigningScheme.STANDARD else _v1a
    return StandardSigner([prepare(key) for key in config.keys])


def check_signing_key(scheme: SigningScheme, secret: Secret) -> None:
    """Raises InvalidValue when `secret` cannot sign with `scheme`."""
    if scheme is not SigningScheme.NONE:
        _CHECKS[scheme](secret)


def generate_key(kind: GeneratedKind, random_bytes: RandomBytes) -> Secret:
    """A new key in the text form that it has in its Secret."""
    return Secret(_TEXT_FORMS[kind](random_bytes(_GENERATED_BYTES)))


def public_key(private: Secret) -> str:
    """`whsk_…` → `whpk_…`, to be given to receivers. Raises InvalidValue."""
    public = _private_key(private).public_key().public_bytes_raw()
    return V1A_PUBLIC_PREFIX + base64.b64encode(public).decode()


class Unsigned:
    """Id and time without a signature."""

    def headers(self, event_id: str, timestamp: int, url: str, body: bytes) -> SignedHeaders:
        return [("webhook-id", event_id), ("webhook-timestamp", str(timestamp))]


_Sign = Callable[[bytes, bytes], str]
"""(what stands before the body, body) → one signature with its version."""


class StandardSigner:
    """`webhook-signature`: a signature for each key, separated by spaces."""

    def __init__(self, keys: Sequence[_Sign]) -> None:
        self._keys = tuple(keys)

    def headers(self, event_id: str, timestamp: int, url: str, body: bytes) -> SignedHeaders:
        time = str(timestamp)
        before = f"{event_id}.{time}.".encode()
        signatures = " ".join([sign(before, body) for sign in self._keys])
        return [
            ("webhook-id", event_id),
            ("webhook-timestamp", time),
            ("webhook-signature", signatures),
        ]


class CustomSigner:
    """A header of the user's own form beside `webhook-id` and `webhook-timestamp`.

    With several keys the header holds all signatures, separated by commas: most receivers of such
    forms know one key, so several are for those that read a list.
    """

    def __init__(self, form: CustomFormat, keys: Sequence[Secret]) -> None:
        self._form = form
        hash_name = HMAC_HASHES[form.algorithm]
        self._keys = [hmac.new(_raw(key), digestmod=hash_name) for key in keys]

    def headers(self, event_id: str, timestamp: int, url: str, body: bytes) -> SignedHeaders:
        time = str(timestamp)
        values = {"{id}": event_id, "{timestamp}": time, "{method}": "POST", "{url}": url}
        content = signed_content(self._form.content, body, values)
        signatures = ",".join([self._sign(key, content) for key in self._keys])
        headers = [("webhook-id", event_id), ("webhook-timestamp", time)]
        headers.append((self._form.header.lower(), signatures))
        if self._form.id_header:
            headers.append((self._form.id_header.lower(), event_id))
        if self._form.timestamp_header:
            headers.append((self._form.timestamp_header.lower(), time))
        return headers

    def _sign(self, key: hmac.HMAC, content: bytes) -> str:
        mac = key.copy()
        mac.update(content)
        return self._form.prefix + encode(mac.digest(), self._form.encoding)


def _v1(secret: Secret) -> _Sign:
    """HMAC-SHA256; the key is hashed into the state once and the state copied for each use."""
    prepared = hmac.new(_v1_bytes(secret), digestmod="sha256")

    def sign(before: bytes, body: bytes) -> str:
        mac = prepared.copy()
        mac.update(before)
        mac.update(body)
        return "v1," + base64.b64encode(mac.digest()).decode()

    return sign


def _v1a(secret: Secret) -> _Sign:
    key = _private_key(secret)
    return lambda before, body: "v1a," + base64.b64encode(key.sign(before + body)).decode()


def _v1_bytes(secret: Secret) -> bytes:
    material = _base64(secret, V1_PREFIX)
    if len(material) not in V1_KEY_BYTES:
        raise InvalidValue(f"a key of {len(material)} bytes; it must have 16 to 1024, better 32")
    return material


def _private_key(secret: Secret) -> Ed25519PrivateKey:
    material = _base64(secret, V1A_PREFIX)
    if len(material) not in {_SEED_BYTES, 2 * _SEED_BYTES}:
        raise InvalidValue("not an Ed25519 private key: 32 bytes, or 64 with the public half")
    key = Ed25519PrivateKey.from_private_bytes(material[:_SEED_BYTES])
    public = key.public_key().public_bytes_raw()
    if not hmac.compare_digest(material[_SEED_BYTES:] or public, public):
        raise InvalidValue("the two halves of the Ed25519 key do not belong together")
    return key


def _base64(secret: Secret, prefix: str) -> bytes:
    text = secret.reveal().strip().removeprefix(prefix.encode())
    try:
        material = base64.b64decode(text, validate=True)
    except ValueError:
        material = b""
    if not material:
        raise InvalidValue(f"the key is not {prefix} followed by base64")
    return material


def _raw(secret: Secret) -> bytes:
    material = secret.reveal()
    if not secret:
        raise InvalidValue("the key is empty")
    if material != material.strip(b"\r\n"):
        raise InvalidValue("the key begins or ends with a line break; store it without one")
    return material


_CHECKS: Final[dict[SigningScheme, Callable[[Secret], object]]] = {
    SigningScheme.STANDARD: _v1_bytes,
    SigningScheme.ED25519: _private_key,
    SigningScheme.CUSTOM: _raw,
}

_TEXT_FORMS: Final[dict[GeneratedKind, Callable[[bytes], str]]] = {
    GeneratedKind.WHSEC: lambda material: V1_PREFIX + base64.b64encode(material).decode(),
    GeneratedKind.WHSK: lambda material: V1A_PREFIX + base64.b64encode(material).decode(),
    GeneratedKind.HEX: bytes.hex,
}
