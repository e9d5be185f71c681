"""How signatures and their time stand in a header, read and written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from hookplane.signatures.scheme import Layout, SignatureScheme

MAX_SIGNATURES: Final = 8
"""More in one header is not a rotation but an attempt to make us work."""


class SignatureElements(NamedTuple):
    """What a header holds. Elements of other names and versions are passed over."""

    signatures: tuple[str, ...]
    times: tuple[str, ...] = ()


def read(scheme: SignatureScheme, value: str) -> SignatureElements:
    """The signatures of a header value, as text without their prefix."""
    found = _READERS[scheme.layout](scheme, value)
    if not scheme.prefix:
        return found
    return SignatureElements(tuple(_without(scheme.prefix, found.signatures)), found.times)


def write(scheme: SignatureScheme, signature: str, time: str) -> str:
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
