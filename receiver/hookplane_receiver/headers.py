"""Which headers are kept with an event: never those that open doors."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from hookplane.network.headers import CONNECTION_HEADERS, Headers

CREDENTIAL_WORDS: Final = (
    "api-key",
    "apikey",
    "authenticat",
    "authoriz",
    "cookie",
    "credential",
    "hmac",
    "hub-signature",
    "password",
    "secret",
    "session",
    "signature",
    "token",
)
"""A name with one of these in it may carry something that lets its reader in elsewhere."""


def kept(headers: Headers, own_credentials: frozenset[str]) -> Headers:
    """The headers that are stored; `own_credentials`: names that this endpoint authenticates by."""
    return tuple(
        header for header in headers if header[0] not in own_credentials and _is_harmless(header[0])
    )


def repeated(headers: Headers, names: frozenset[str]) -> str:
    """The first of `names` that stands there more than once, or the empty string."""
    found = [name for name, _ in headers if name in names]
    if len(found) == len(set(found)):
        return ""
    return next(name for name in found if found.count(name) > 1)


@lru_cache(maxsize=4096)
def _is_harmless(name: str) -> bool:
    return name not in CONNECTION_HEADERS and not any(word in name for word in CREDENTIAL_WORDS)
