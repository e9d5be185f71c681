"""Checks a delivery as a subscriber would. It shares no code with what signs deliveries.

Standard Webhooks:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hookplane.clock import Millis
from hookplane.errors import InvalidValue
from hookplane.secret import Secret

TOLERANCE_SECONDS: Final = 300
"""A delivery's time may be so far from now, as the specification's libraries have it."""
SYMMETRIC_PREFIX: Final = "whsec_"
PUBLIC_PREFIX: Final = "whpk_"
PRIVATE_PREFIX: Final = "whsk_"


class Signature(StrEnum):
    """The result of a check."""

    OK = "ok"
    BAD = "bad"
    OLD = "old"
    """A right signature of another time."""
    NONE = "none"
    """The delivery carries no signature."""
    UNCHECKED = "unchecked"
    """No secret was given to check with."""


Matches = Callable[[bytes, bytes], bool]
"""Signed content, signature → whether it is one."""


class Checker:
    """Knows the secrets of one subscription: `whsec_…` (v1), `whpk_…` (v1a public keys) and, as a
    data folder has them, `whsk_…` (v1a private keys)."""

    def __init__(self, secrets: Sequence[Secret]) -> None:
        """Raises InvalidValue for a text that is none of these."""
        self._keys = [_key(secret) for secret in secrets]

    def check(self, headers: Mapping[str, str], body: bytes, now: Millis) -> Signature:
        """One signature that matches one of the secrets is enough. `headers`: a mapping that
        ignores the case of names."""
        given, time = headers.get("webhook-signature", ""), headers.get("webhook-timestamp", "")
        if not given:
            return Signature.NONE
        if not self._keys:
            return Signature.UNCHECKED
        content = f"{headers.get('webhook-id', '')}.{time}.".encode() + body
        if not self._signed(given, content):
            return Signature.BAD
        return Signature.OK if _fresh(time, now) else Signature.OLD

    def _signed(self, given: str, content: bytes) -> bool:
        pairs = [(version, text) for version, _, text in (x.partition(",") for x in given.split())]
        return any(
            matches(content, _decoded(text))
            for version, text in pairs
            for known, matches in self._keys
            if version == known
        )


def _key(secret: Secret) -> tuple[str, Matches]:
    text = secret.reveal().decode("ascii", "replace").strip()
    if text.startswith(SYMMETRIC_PREFIX):
        return "v1", _hmac(_decoded(text.removeprefix(SYMMETRIC_PREFIX)))
    if text.startswith(PUBLIC_PREFIX):
        return "v1a", _ed25519(_decoded(text.removeprefix(PUBLIC_PREFIX)))
    if text.startswith(PRIVATE_PREFIX):
        return "v1a", _ed25519(_public(_decoded(text.removeprefix(PRIVATE_PREFIX))))
    raise InvalidValue("a secret begins with whsec_, a public key with whpk_")


def _public(seed: bytes) -> bytes:
    try:
        return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    except ValueError as error:
        raise InvalidValue("after whsk_ comes base64 of 32 bytes") from error


def _hmac(key: bytes) -> Matches:
    if not key:
        raise InvalidValue("after whsec_ comes base64 of the key")
    return lambda content, given: hmac.compare_digest(
        hmac.digest(key, content, hashlib.sha256), given
    )


def _ed25519(raw: bytes) -> Matches:
    try:
        public = Ed25519PublicKey.from_public_bytes(raw)
    except ValueError as error:
        raise InvalidValue("after whpk_ comes base64 of 32 bytes") from error

    def matches(content: bytes, given: bytes) -> bool:
        try:
            public.verify(given, content)
        except InvalidSignature:
            return False
        return True

    return matches


def _decoded(text: str) -> bytes:
    """Empty for what is not base64; padding may be missing."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _fresh(time: str, now: Millis) -> bool:
    if not (time.isascii() and time.isdigit() and len(time) <= 12):
        return False
    return abs(now // 1000 - int(time)) <= TOLERANCE_SECONDS
