"""Makes outside text storable by every driver: no NUL (PostgreSQL), no lone surrogates (UTF-8)."""

from __future__ import annotations

import re
from typing import Final

import orjson

from hookplane.network.headers import Headers

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """The text with U+FFFD in place of each character that cannot be stored."""
    return _UNSTORABLE.sub("\ufffd", text)


def pack_headers(headers: Headers) -> bytes:
    """Headers as a JSON list of pairs."""
    try:
        return orjson.dumps(headers)
    except orjson.JSONEncodeError:
        return orjson.dumps([(storable(name), storable(value)) for name, value in headers])


def unpack_headers(packed: bytes) -> Headers:
    """The inverse of `pack_headers`."""
    return tuple((name, value) for name, value in orjson.loads(packed))
