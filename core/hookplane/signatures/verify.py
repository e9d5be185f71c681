"""Who sent this? One pure function over the raw bytes of a request."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from hookplane.clock import Millis
from hookplane.errors import InvalidValue
from hookplane.network.headers import header_bytes
from hookplane.signatures.form import (
    MAX_SIGNATURES,
    SignatureElements,
    decode,
    read_header,
)
from hookplane.signatures.keys import SignedContent, VerificationKey
from hookplane.signatures.scheme import Algorithm, Layout, SignatureScheme, Timestamp, TimeUnit
from hookplane.signatures.template import WRITTEN_TIME, refused_id, refused_url, signed_content
from hookplane.units import parse_time

Headers = Sequence[tuple[str, str]]

MAX_ED25519_TRIES: Final = 16
"""Signatures times keys: two signatures during a rotation, and eight keys. Each try hashes the
content anew, which takes 0.1 s for 32 MiB."""
_DIGITS: Final = re.compile(r"[0-9]{1,15}")
_RFC3339: Final = re.compile(WRITTEN_TIME)
"""It and numbers with as many digits as now have one end, whatever stands beside them in what is
signed."""
_OTHER_UNITS: Final = {
    TimeUnit.SECONDS: (TimeUnit.MILLISECONDS, 1),
    TimeUnit.MILLISECONDS: (TimeUnit.SECONDS, 1000),
}


class VerifyFailure(StrEnum):
    """What is wrong; the values are those of hookplane.rejections.RejectReason."""

    MISSING = "SignatureMissing"
    MISMATCH = "SignatureMismatch"
    TIMESTAMP = "TimestampOutOfTolerance"
    MALFORMED = "Malformed"


class SignedRequest(NamedTuple):
    """The facts of a request that a signature can cover."""

    method: str
    url: str
    """The configured public URL with the query as sent."""
    headers: Headers
    """Names in lower case; values as UTF-8 with surrogateescape."""
    body: bytes
    """As sent: never decompressed, decoded or re-serialised."""


class VerifyResult(NamedTuple):
    """Accepted with the id and time that were signed, or a failure and a sentence for people."""

    failure: VerifyFailure | None = None
    detail: str = ""
    id: str = ""
    timestamp: Millis | None = None

    @property
    def ok(self) -> bool:
        return self.failure is None


class ReadSignature(NamedTuple):
    """What the headers of a request say of its signature, whatever its body is."""

    elements: SignatureElements
    id: str
    time: str


class SignatureRefused(Exception):
    """No body makes this right; `result` says why."""

    def __init__(self, failure: VerifyFailure, detail: str) -> None:
        super().__init__(detail)
        self.result = VerifyResult(failure, detail)


def verify(
    scheme: SignatureScheme,
    keys: Sequence[VerificationKey],
    request: SignedRequest,
    now: Millis,
    read: ReadSignature | None = None,
) -> VerifyResult:
    """Whether any key made any of the request's signatures, and its time is near `now`. `read`: of
    the request's headers, where they were read before.

    Repeated signature, id or time headers are malformed: never does the first one win. The time
    is looked at after the signature, so that it tells strangers nothing. Never raises.
    """
    try:
        read = read or read_signature(scheme, request.headers)
        return _verify(scheme, keys, request, read, now)
    except SignatureRefused as refused:
        return refused.result


def read_signature(scheme: SignatureScheme, headers: Headers) -> ReadSignature:
    """To be read before the body is. Raises SignatureRefused where `verify` fails whatever the
    body is."""
    found = _signatures(scheme, headers)
    return ReadSignature(found, _id(scheme, headers), _time_text(scheme, headers, found))


def hashed_bytes(scheme: SignatureScheme, keys: int, size: int) -> int:
    """How many bytes are hashed at most while `verify` looks at a body of `size` bytes with so many
    keys. A content is hashed once, but by Ed25519 with each key and each signature."""
    if scheme.algorithm is not Algorithm.ED25519:
        return size
    signatures = 1 if scheme.layout is Layout.BARE else MAX_SIGNATURES
    return size * min(keys * signatures, MAX_ED25519_TRIES)


def _verify(
    scheme: SignatureScheme,
    keys: Sequence[VerificationKey],
    request: SignedRequest,
    read: ReadSignature,
    now: Millis,
) -> VerifyResult:
    values = {
        "{id}": read.id,
        "{timestamp}": read.time,
        "{method}": request.method,
        "{url}": request.url,
    }
    _check_url(scheme, values, request.body)
    content = SignedContent(signed_content(scheme.content, request.body, values))
    candidates = _decoded(scheme, read.elements.signatures)
    _check_tries(scheme, len(candidates), len(keys))
    matches = [key.matches(candidates, content) for key in keys]
    if True not in matches:
        raise SignatureRefused(
            VerifyFailure.MISMATCH, f"signature does not match ({_tried(len(keys))})"
        )
    at = None if scheme.timestamp is None else _checked_time(scheme.timestamp, read.time, now)
    return VerifyResult(id=read.id, timestamp=at)


def _signatures(scheme: SignatureScheme, headers: Headers) -> SignatureElements:
    value = _single(headers, scheme.header)
    if value is None:
        raise SignatureRefused(VerifyFailure.MISSING, f"header {scheme.header} is missing")
    found = read_header(scheme, value)
    if len(found.signatures) > MAX_SIGNATURES:
        raise SignatureRefused(
            VerifyFailure.MALFORMED, f"header {scheme.header} has too many signatures"
        )
    if not found.signatures:
        raise SignatureRefused(
            VerifyFailure.MISMATCH, f"header {scheme.header} has no signature of this kind"
        )
    return found


def _id(scheme: SignatureScheme, headers: Headers) -> str:
    if scheme.id_header is None:
        return ""
    value = _required(headers, scheme.id_header)
    why = refused_id(scheme.content, value)
    if why:
        raise SignatureRefused(VerifyFailure.MALFORMED, f"header {scheme.id_header} {why}")
    return value


def _check_url(scheme: SignatureScheme, values: Mapping[str, str], body: bytes) -> None:
    why = refused_url(scheme.content, values, body)
    if why:
        raise SignatureRefused(VerifyFailure.MALFORMED, f"the signed URL {why}")


def _time_text(scheme: SignatureScheme, headers: Headers, found: SignatureElements) -> str:
    if scheme.timestamp is None:
        return ""
    if scheme.timestamp.header is not None:
        return _required(headers, scheme.timestamp.header)
    if len(found.times) != 1:
        raise SignatureRefused(
            VerifyFailure.MALFORMED,
            f'header {scheme.header} must have one element "{scheme.timestamp_key}"',
        )
    return found.times[0]


def _required(headers: Headers, name: str) -> str:
    value = _single(headers, name)
    if not value:
        raise SignatureRefused(VerifyFailure.MALFORMED, f"header {name} is missing")
    return value


def _single(headers: Headers, name: str) -> str | None:
    values = [value for header, value in headers if header == name]
    if len(values) > 1:
        raise SignatureRefused(
            VerifyFailure.MALFORMED, f"header {name} is there {len(values)} times"
        )
    return values[0] if values else None


def _decoded(scheme: SignatureScheme, signatures: Sequence[str]) -> list[bytes]:
    if scheme.algorithm is Algorithm.EQUALITY:
        return [header_bytes(text) for text in signatures]
    decoded = [decode(text, scheme.encoding) for text in signatures]
    return list(dict.fromkeys(data for data in decoded if data is not None))


def _check_tries(scheme: SignatureScheme, signatures: int, keys: int) -> None:
    if scheme.algorithm is Algorithm.ED25519 and signatures * keys > MAX_ED25519_TRIES:
        detail = f"header {scheme.header} has {signatures} signatures, too many for {keys} keys"
        raise SignatureRefused(VerifyFailure.MALFORMED, detail)


def _tried(count: int) -> str:
    return "1 key tried" if count == 1 else f"{count} keys tried"


def _checked_time(timestamp: Timestamp, text: str, now: Millis) -> Millis:
    at = _millis(timestamp.unit, text, now)
    off = now - at
    if timestamp.tolerance is not None and abs(off) > timestamp.tolerance:
        side = "old" if off > 0 else "in the future"
        raise SignatureRefused(
            VerifyFailure.TIMESTAMP,
            f"signed time is {abs(off) // 1000} s {side}; allowed are "
            f"{timestamp.tolerance // 1000} s",
        )
    return at


def _millis(unit: TimeUnit, text: str, now: Millis) -> Millis:
    if unit is TimeUnit.RFC3339:
        return _rfc3339(text)
    scale = 1000 if unit is TimeUnit.SECONDS else 1
    digits = len(str(now // scale))
    if _DIGITS.fullmatch(text) is None or len(text) != digits:
        raise SignatureRefused(
            VerifyFailure.MALFORMED,
            f"the signed time is not a number of {unit.lower()} with {digits} digits"
            + _other_unit(unit, text, now),
        )
    return int(text) * scale


def _other_unit(unit: TimeUnit, text: str, now: Millis) -> str:
    """The usual mistake: seconds and milliseconds taken for each other."""
    other, scale = _OTHER_UNITS[unit]
    is_that = _DIGITS.fullmatch(text) and len(text) == len(str(now // scale))
    return f": it was given in {other.lower()}" if is_that else ""


def _rfc3339(text: str) -> Millis:
    try:
        if _RFC3339.fullmatch(text) is not None:
            return parse_time(text)
    except InvalidValue:
        pass
    raise SignatureRefused(VerifyFailure.MALFORMED, "the signed time is not an RFC 3339 time")
