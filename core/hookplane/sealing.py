"""Secrets at rest: AES-256-GCM with a named key (NIST SP 800-38D), text form `v1:KEYID:base64`.

The nonce is synthetic, in the manner of SIV (RFC 5297): two MACs over what is sealed and where. It
binds a text to its place and, unlike associated data, lets versions open it that know of no places.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hookplane.errors import InvalidValue, SecretUnreadable

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_MAC_BYTES: Final = 6
"""Of each of the two MACs in a nonce."""
_MAC_KEY: Final = b"hookplane: nonces of sealed texts"
"""Derives the key of the MACs, so that no key serves two algorithms."""
_VERSION: Final = "v1"
_SEALED: Final = re.compile(rb'"v1:([^":]+):[A-Za-z0-9+/]+={0,2}"')
"""A sealed text in a document, and its key's id."""


class Opener(Protocol):
    """Gives what was sealed."""

    def open(self, text: str, aad: str) -> bytes:
        """Raises SecretUnreadable."""

    def check_place(self, text: str, plain: bytes, aad: str, place: bytes) -> bool:
        """Whether a text that opened as `plain` is bound to its place; False: to its object only,
        as the version before sealed it. Raises SecretUnreadable if its place is another."""


class NoKeys:
    """Opens everything as empty: for whoever wants the rest of a document whose keys are lost."""

    def open(self, text: str, aad: str) -> bytes:
        """Nothing."""
        return b""

    def check_place(self, text: str, plain: bytes, aad: str, place: bytes) -> bool:
        """Nothing was opened, so nothing is misplaced."""
        return True


class Sealer:
    """Seals with one key and opens with any that it was given, so that keys can be rotated.

    `aad`, the associated data, binds a sealed text to its object: a text that was moved to another
    object does not open. `place` binds it to where it is in there, which `check_place` tells.
    """

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        """`keys`: key id → 32 bytes; `current`: the id of the one that seals."""
        if current not in keys or any(len(key) != KEY_BYTES for key in keys.values()):
            raise InvalidValue("a sealer needs its current key, and keys of 32 bytes each")
        self._keys = {name: _Key(key) for name, key in keys.items()}
        self._current = current

    def is_stale(self, document: bytes) -> bool:
        """Whether a document holds something that was sealed with another key than the current
        one."""
        current = self._current.encode()
        return any(name != current for name in _SEALED.findall(document))

    def seal(self, plain: bytes, aad: str, place: bytes = b"") -> str:
        """The sealed text; the same for the same content in the same place."""
        key = self._keys[self._current]
        nonce = key.nonce(plain, aad, place)
        sealed = key.cipher.encrypt(nonce, plain, aad.encode())
        return f"{_VERSION}:{self._current}:{base64.b64encode(nonce + sealed).decode()}"

    def open(self, text: str, aad: str) -> bytes:
        """What was sealed. Raises SecretUnreadable; the message names the key's id, never the
        content."""
        key_id, raw = self._take_apart(text)
        try:
            return self._keys[key_id].cipher.decrypt(
                raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], aad.encode()
            )
        except (ValueError, InvalidTag) as error:
            raise SecretUnreadable(f'a secret sealed with key "{key_id}" does not open') from error

    def check_place(self, text: str, plain: bytes, aad: str, place: bytes) -> bool:
        """See `Opener`."""
        key_id, raw = self._take_apart(text)
        key, nonce = self._keys[key_id], raw[:_NONCE_BYTES]
        if hmac.compare_digest(nonce, key.nonce(plain, aad, place)):
            return True
        if key.is_bound(nonce, plain, aad):
            raise SecretUnreadable(f'a secret sealed with key "{key_id}" was sealed for elsewhere')
        return False

    def _take_apart(self, text: str) -> tuple[str, bytes]:
        version, _, rest = text.partition(":")
        key_id, _, payload = rest.rpartition(":")
        if version != _VERSION or key_id not in self._keys:
            raise SecretUnreadable(f'no key "{key_id}" to open a sealed secret')
        try:
            return key_id, base64.b64decode(payload, validate=True)
        except ValueError as error:
            raise SecretUnreadable(f'a secret sealed with key "{key_id}" does not open') from error


class _Key:
    """A sealing key: its cipher and its nonces.

    A nonce is the MAC of the place, and a MAC of that, by which a text that is bound to some place
    is told from one with a random nonce. Nonces are alike only for the same content of the same
    object, where the texts are the same, too; else no sooner than random ones.
    """

    def __init__(self, key: bytes) -> None:
        self.cipher = AESGCM(key)
        self._mac_key = hmac.digest(key, _MAC_KEY, "sha256")

    def nonce(self, plain: bytes, aad: str, place: bytes) -> bytes:
        """Of 12 bytes."""
        of_place = self._mac(b"place", aad.encode(), plain, place)
        return of_place + self._mac(b"bound", aad.encode(), plain, of_place)

    def is_bound(self, nonce: bytes, plain: bytes, aad: str) -> bool:
        """Whether a nonce was made here, for whatever place."""
        expected = self._mac(b"bound", aad.encode(), plain, nonce[:_MAC_BYTES])
        return hmac.compare_digest(nonce[_MAC_BYTES:], expected)

    def _mac(self, *parts: bytes) -> bytes:
        message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._mac_key, message, "sha256")[:_MAC_BYTES]
