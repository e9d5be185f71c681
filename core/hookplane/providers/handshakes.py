"""How senders ask whether they may send. A handshake is answered and never stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from hookplane.lenient_json import parse
from hookplane.secret import Secret

TEXT: Final = "text/plain; charset=utf-8"
JSON_TYPE: Final = "application/json"
MAX_CHALLENGE_CHARACTERS: Final = 1024
MAX_QUERY_FIELDS: Final = 20


@dataclass(frozen=True, slots=True)
class Ask:
    """What a handshake looks at."""

    query: str
    headers: Sequence[tuple[str, str]]
    """Names in lower case."""
    body: bytes
    parameters: Mapping[str, Secret] = field(default_factory=dict)
    per_minute: int | None = None
    """How many requests the endpoint takes in a minute; None: as many as come."""


@dataclass(frozen=True, slots=True)
class HandshakeReply:
    """The answer to a handshake."""

    status: int
    body: bytes = b""
    content_type: str = TEXT
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Handshake:
    """`respond` gives None when the request is not one, or not a good one.

    Those by POST stand among the events and are answered after verification; GET and OPTIONS come
    without a signature, so that `respond` itself decides whom to believe.
    """

    method: str
    respond: Callable[[Ask], HandshakeReply | None]
    parameters: tuple[str, ...] = ()
    """Names in `verification.parameters` that must be there."""


def echoable(text: str) -> bool:
    """Whether a challenge may be sent back as it came."""
    return 0 < len(text) <= MAX_CHALLENGE_CHARACTERS and text.isprintable()


def query_fields(text: str) -> Mapping[str, str]:
    """The fields of a query string; none when one is repeated or there are too many."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        return {}
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else {}


def json_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object in a body; empty when there is none."""
    try:
        parsed = parse(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
