"""What is kept of a target's answer: its first bytes, without the secrets that went there. A target
that echoes what it got would put them where everybody sees them who may read attempts."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, quote_plus, unquote_plus, urlsplit

from hookplane.config.subscription import HttpTargetConfig, SubscriptionConfig
from hookplane.kinds.subscription import HIDDEN_HOST
from hookplane.secret import MASK
from hookplane_dispatcher.egress.client import KEPT_ANSWER_BYTES, OutboundResponse

SHORTEST_MASKED: Final = 4
"""Bytes; a shorter text is in every other answer, and a secret of that length is none."""
_KEY_PREFIXES: Final = (b"whsec_", b"whsk_")
_SHORTEST_PART: Final = 8
"""Bytes of a segment or a value in a hidden URL; shorter ones are words or numbers."""
_MOST_PARTS: Final = 16
_ESCAPED: Final = re.compile(r"%[0-9A-F]{2}")
_GO_JSON: Final = str.maketrans({"&": "\\u0026", "<": "\\u003c", ">": "\\u003e"})
"""Go writes these so in JSON."""


@dataclass(frozen=True, slots=True)
class KeptAnswers:
    """What may be kept of the answers to one subscription's deliveries."""

    bodies: bool
    """Whether anything of a body is."""
    forms: tuple[bytes, ...]
    """Every text by which one of its secrets could come back."""

    def of(self, response: OutboundResponse, authorization: str = "") -> OutboundResponse:
        """The response with what may be kept of it. `authorization`: the header with the access
        token that was sent."""
        if not response.body and not response.detail:
            return response
        forms = (*self.forms, *forms_of(_parts(authorization.encode())))
        body = masked(response.body, forms, KEPT_ANSWER_BYTES) if self.bodies else b""
        detail = response.detail.encode()
        return replace(
            response,
            body=body,
            detail=masked(detail, forms, len(detail)).decode("utf-8", "replace"),
        )


def kept_answers(config: SubscriptionConfig, target: HttpTargetConfig) -> KeptAnswers:
    """What a subscription's document says of it."""
    return KeptAnswers(target.keep_answers, tuple(forms_of(_secrets(config, target))))


def masked(text: bytes, forms: Iterable[bytes], most: int) -> bytes:
    """What stands in the first `most` bytes, without the forms that begin there. Looks no further
    than the longest form behind them."""
    forms = tuple(forms)
    seen = text[: most + max(map(len, forms), default=0)]
    kept, end = [], 0
    for start, stop in sorted(span for form in forms for span in _spans(seen, form)):
        if start >= most:
            break
        if start >= end:
            kept += [seen[end:start], MASK.encode()]
        end = max(end, stop)
    return b"".join([*kept, seen[end:most]])


def _spans(text: bytes, form: bytes) -> Iterator[tuple[int, int]]:
    start = text.find(form)
    while start >= 0:
        yield start, start + len(form)
        start = text.find(form, start + len(form))


def forms_of(secrets: Iterable[bytes]) -> Iterator[bytes]:
    """Secrets as they are and as servers write them out, each once."""
    written = (form for secret in secrets for form in _written(secret))
    return iter(dict.fromkeys(form for form in written if len(form) >= SHORTEST_MASKED))


def _written(secret: bytes) -> Sequence[bytes]:
    if len(secret) < SHORTEST_MASKED:
        return ()
    text = secret.decode("utf-8", "replace")
    in_json = json.dumps(text)[1:-1]
    escaped = (in_json, json.dumps(text, ensure_ascii=False)[1:-1], in_json.replace("/", "\\/"))
    in_html = html.escape(text)
    numbered = in_html.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    in_urls = (quote(text, safe=""), quote_plus(text), quote(text))
    lower = (_ESCAPED.sub(lambda x: x[0].lower(), other) for other in in_urls)
    others = (*escaped, in_json.translate(_GO_JSON), in_html, numbered, *in_urls, *lower)
    return secret, *(other.encode() for other in others), *_in_base64(secret)


def _in_base64(secret: bytes) -> Iterator[bytes]:
    """Encoded by itself, and what is the same of it wherever it stands in something encoded."""
    encoded = base64.b64encode(secret)
    yield from (encoded, encoded.replace(b"/", b"\\/"), encoded.rstrip(b"="))
    yield base64.urlsafe_b64encode(secret).rstrip(b"=")
    for before in range(3):
        shifted = bytes(before) + secret
        inner = slice(-(-before * 8 // 6), len(shifted) * 8 // 6)
        yield base64.b64encode(shifted)[inner]
        yield base64.urlsafe_b64encode(shifted)[inner]


def _secrets(config: SubscriptionConfig, target: HttpTargetConfig) -> Iterator[bytes]:
    for _, value in target.headers:
        yield from _parts(value.reveal())
    if target.oauth2 is not None:
        yield target.oauth2.client_secret.reveal()
    for key in config.signing.keys:
        yield key.reveal()
        yield from (key.reveal().removeprefix(prefix) for prefix in _KEY_PREFIXES)
    if target.host == HIDDEN_HOST:
        url = target.url.reveal()
        yield url
        yield from _place(url.decode())


def _parts(header: bytes) -> Iterator[bytes]:
    """The value of a header, and of an `Authorization` also what stands behind the scheme."""
    yield header
    scheme, _, credential = header.partition(b" ")
    if credential:
        yield credential
        yield from _pair(credential) if scheme.lower() == b"basic" else ()


def _pair(credential: bytes) -> Iterator[bytes]:
    """Name and password, and the password."""
    try:
        pair = base64.b64decode(credential, validate=True)
    except binascii.Error:
        return
    yield pair
    yield pair.partition(b":")[2]


def _place(url: str) -> Iterator[bytes]:
    """What a server sees of its URL, and what it takes out of it."""
    parts = urlsplit(url)
    wholes = [x for x in (parts.path, parts.query) if len(x) > 1]
    values = [x.partition("=")[2] for x in parts.query.split("&")]
    taken = [x for x in (*parts.path.split("/"), *values) if len(x) >= _SHORTEST_PART]
    for text in (*wholes, *taken[:_MOST_PARTS]):
        yield text.encode()
        yield unquote_plus(text).encode()
