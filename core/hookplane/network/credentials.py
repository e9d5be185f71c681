"""Which headers may carry something that lets its reader in elsewhere, told by their names."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_PARTS: Final = (
    "api-key",
    "apikey",
    "authenticat",
    "authoriz",
    "cookie",
    "credential",
    "hmac",
    "hub-signature",
    "passphrase",
    "password",
    "secret",
    "session",
    "signature",
    "token",
)
"""A name with one of these in it, wherever, is that of a credential."""
_WORDS: Final = frozenset(
    {
        *("accesskey", "assertion", "auth", "bearer", "csrf", "jwt", "key", "keys", "otp", "pass"),
        *("passcode", "passwd", "pin", "privatekey", "pwd", "saml", "sid", "sig", "sign", "sso"),
        *("ticket", "totp", "xsrf"),
    }
)
"""The same of these as whole words: `x-access-key`, but not `x-keyboard`."""
_HARMLESS: Final = frozenset({"idempotency-key", "x-event-key", "x-idempotency-key"})
"""Keys that open nothing: they tell events apart, and Bitbucket's tells what happened."""
_BETWEEN: Final = re.compile(r"[^a-z0-9]+")
SURE_PATTERN: Final = "|".join(_PARTS)
"""What `is_surely_credential` finds, as a regular expression to be searched in a name in lower
case, for those who have no Python."""


def is_credential(name: str) -> bool:
    """Whether a header of this name (in lower case) is kept by nobody."""
    return _has_part(name) or _has_word(name)


def is_surely_credential(name: str) -> bool:
    """The same of one that an endpoint reads the type or the key of its events from, so that its
    owner says what it is."""
    return _has_part(name)


@lru_cache(maxsize=4096)
def _has_part(name: str) -> bool:
    return any(part in name for part in _PARTS)


@lru_cache(maxsize=4096)
def _has_word(name: str) -> bool:
    return name not in _HARMLESS and not _WORDS.isdisjoint(_BETWEEN.split(name))
