"""Credentials in headers. API keys, basic (RFC 7617) and bearer (RFC 6750) are compared in constant
time, with all keys, every time."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl

from hookplane.config.endpoint import ApiKey, Basic
from hookplane.network.headers import Headers, header_bytes
from hookplane.secret import Secret

AUTHORIZATION: Final = "authorization"
MAX_QUERY_FIELDS: Final = 20


def api_key_matches(api_key: ApiKey, headers: Headers) -> bool:
    """Whether the header carries one of the keys."""
    return _any_equal(_header(headers, api_key.header), api_key.keys)


def basic_matches(basic: Basic, headers: Headers) -> bool:
    """Whether user name and one of the passwords are given."""
    user, _, password = _base64(_scheme(headers, "basic")).partition(b":")
    right_user = hmac.compare_digest(user, basic.username.encode())
    return _any_equal(password, basic.passwords) and right_user


def bearer_matches(tokens: Sequence[Secret], headers: Headers, query: str = "") -> bool:
    """Whether one of the tokens is given; `query`: where `access_token` is looked for as well."""
    given = _scheme(headers, "bearer") or _access_token(query)
    return _any_equal(given, tokens)


def repeated(headers: Headers, names: frozenset[str]) -> str:
    """The first of `names` that stands there more than once, or the empty string."""
    found = [name for name, _ in headers if name in names]
    if len(found) == len(set(found)):
        return ""
    return next(name for name in found if found.count(name) > 1)


def _any_equal(given: bytes, secrets: Sequence[Secret]) -> bool:
    matches = [hmac.compare_digest(given, secret.reveal()) for secret in secrets]
    return True in matches and bool(given)


def _header(headers: Headers, name: str) -> bytes:
    return header_bytes(next((value for header, value in headers if header == name), ""))


def _scheme(headers: Headers, scheme: str) -> bytes:
    """The credentials of the Authorization header when they are of this scheme."""
    name, _, rest = _header(headers, AUTHORIZATION).partition(b" ")
    return rest.strip() if name.lower() == scheme.encode() else b""


def _base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _access_token(query: str) -> bytes:
    if not query:
        return b""
    try:
        fields = parse_qsl(query, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        return b""
    tokens = [value for name, value in fields if name == "access_token"]
    return header_bytes(tokens[0]) if len(tokens) == 1 else b""
