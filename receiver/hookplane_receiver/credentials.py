"""API keys, basic (RFC 7617) and bearer (RFC 6750): constant-time, over all keys, every time."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from urllib.parse import parse_qsl

from hookplane.config.endpoint import ApiKey, Basic
from hookplane.network.headers import Headers
from hookplane.secret import Secret
from hookplane.signatures.encoding import to_bytes

MAX_QUERY_FIELDS = 20


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


def _any_equal(given: bytes, secrets: Sequence[Secret]) -> bool:
    matches = [hmac.compare_digest(given, secret.reveal()) for secret in secrets]
    return True in matches and bool(given)


def _header(headers: Headers, name: str) -> bytes:
    return to_bytes(next((value for header, value in headers if header == name), ""))


def _scheme(headers: Headers, scheme: str) -> bytes:
    """The credentials of the Authorization header when they are of this scheme."""
    name, _, rest = _header(headers, "authorization").partition(b" ")
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
    return to_bytes(tokens[0]) if len(tokens) == 1 else b""
