"""What a scheme makes of texts: a header is read and written, and its signatures are decoded."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from hookplane.signatures.scheme import Encoding, Layout, SignatureScheme

MAX_SIGNATURES: Final = 8
"""More in one header is not a rotation but an attempt to make us work."""


class SignatureElements(NamedTuple):
    """What a header holds. Elements of other names and versions are passed over."""

    signatures: tuple[str, ...]
    times: tuple[str, ...] = ()


def read_header(scheme: SignatureScheme, value: str) -> SignatureElements:
    """The signatures of a header value, as text without their prefix."""
    found = _READERS[scheme.layout](scheme, value)
    if not scheme.prefix:
        return found
    return SignatureElements(tuple(_without(scheme.prefix, found.signatures)), found.times)


def write_header(scheme: SignatureScheme, signature: str, time: str) -> str:
    """A header value with one signature."""
    signed = scheme.prefix + signature
    if scheme.layout is Layout.BARE:
        return signed
    if scheme.layout is Layout.VERSIONED:
        return f"{scheme.signature_key},{signed}"
    element = f"{scheme.signature_key}={signed}"
    if scheme.timestamp is None or scheme.timestamp.header is not None:
        return element
    return f"{scheme.timestamp_key}={time}{scheme.separator}{element}"


def _without(prefix: str, signatures: Iterable[str]) -> Iterable[str]:
    return (text.removeprefix(prefix) for text in signatures if text.startswith(prefix))


def _read_bare(scheme: SignatureScheme, value: str) -> SignatureElements:
    return SignatureElements((value,))


def _read_key_value(scheme: SignatureScheme, value: str) -> SignatureElements:
    elements = [part.strip().partition("=") for part in value.split(scheme.separator)]
    return SignatureElements(
        tuple(text for name, _, text in elements if name == scheme.signature_key),
        tuple(text for name, _, text in elements if name == scheme.timestamp_key),
    )


def _read_versioned(scheme: SignatureScheme, value: str) -> SignatureElements:
    elements = [part.partition(",") for part in value.split(" ")]
    return SignatureElements(
        tuple([text for version, _, text in elements if version == scheme.signature_key])
    )


_READERS: Final[dict[Layout, Callable[[SignatureScheme, str], SignatureElements]]] = {
    Layout.BARE: _read_bare,
    Layout.KEY_VALUE: _read_key_value,
    Layout.VERSIONED: _read_versioned,
}


# Bytes as text, read strictly: one text for the same bytes, and nothing else is let through -------


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
