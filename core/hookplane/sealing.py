"""Secrets at rest: AES-256-GCM with a named key (NIST SP 800-38D), text form `v1:KEYID:base64`."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hookplane.errors import InvalidValue, SecretUnreadable
from hookplane.ids import RandomBytes

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_VERSION: Final = "v1"
_SEALED: Final = re.compile(rb'"v1:([^":]+):[A-Za-z0-9+/]+={0,2}"')
"""A sealed text in a document, and its key's id."""


class Opener(Protocol):
    """Gives what was sealed."""

    def open(self, text: str, aad: str) -> bytes:
        """Raises SecretUnreadable."""


class NoKeys:
    """Opens everything as empty: for whoever wants the rest of a document whose keys are lost."""

    def open(self, text: str, aad: str) -> bytes:
        """Nothing."""
        return b""


class Sealer:
    """Seals with one key and opens with any that it was given, so that keys can be rotated.

    `aad`, the associated data, binds a sealed text to its object: a text that was moved to another
    object does not open.
    """

    def __init__(
        self,
        keys: Mapping[str, bytes],
        current: str,
        random_bytes: RandomBytes = secrets.token_bytes,
    ) -> None:
        """`keys`: key id → 32 bytes; `current`: the id of the one that seals."""
        if current not in keys or any(len(key) != KEY_BYTES for key in keys.values()):
            raise InvalidValue("a sealer needs its current key, and keys of 32 bytes each")
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}
        self._current = current
        self._random_bytes = random_bytes

    def is_stale(self, document: bytes) -> bool:
        """Whether a document holds something that was sealed with another key than the current
        one."""
        current = self._current.encode()
        return any(name != current for name in _SEALED.findall(document))

    def seal(self, plain: bytes, aad: str) -> str:
        """The sealed text; another one at every call."""
        nonce = self._random_bytes(_NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, plain, aad.encode())
        return f"{_VERSION}:{self._current}:{base64.b64encode(nonce + sealed).decode()}"

    def open(self, text: str, aad: str) -> bytes:
        """What was sealed. Raises SecretUnreadable; the message names the key's id, never the
        content."""
        version, _, rest = text.partition(":")
        key_id, _, payload = rest.rpartition(":")
        if version != _VERSION or key_id not in self._ciphers:
            raise SecretUnreadable(f'no key "{key_id}" to open a sealed secret')
        try:
            raw = base64.b64decode(payload, validate=True)
            return self._ciphers[key_id].decrypt(
                raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], aad.encode()
            )
        except (ValueError, InvalidTag) as error:
            raise SecretUnreadable(f'a secret sealed with key "{key_id}" does not open') from error
