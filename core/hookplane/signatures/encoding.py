"""Bytes as text, read strictly: one text for the same bytes, and nothing else is let through."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from hookplane.signatures.scheme import Encoding

TEXT_ERRORS: Final = "surrogateescape"
"""Header values are UTF-8 with this error handler, so that any bytes survive both ways."""


def to_bytes(text: str) -> bytes:
    """A header value as the bytes that were sent."""
    return text.encode("utf-8", TEXT_ERRORS)


def encode(data: bytes, encoding: Encoding) -> str:
    """Hexadecimal in lower case, or base64 with padding (RFC 4648 §4)."""
    return data.hex() if encoding is Encoding.HEX else base64.b64encode(data).decode()


def decode(text: str, encoding: Encoding) -> bytes | None:
    """The bytes, or None when `text` is not their one canonical form (hex in any case)."""
    try:
        if encoding is Encoding.HEX:
            return binascii.unhexlify(text)
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return data if base64.b64encode(data).decode() == text else None
