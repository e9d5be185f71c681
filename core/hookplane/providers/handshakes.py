"""How senders ask whether they may send. A handshake is answered and never stored."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from hookplane.secret import Secret

TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"
MAX_CHALLENGE_CHARACTERS: Final = 1024
MAX_QUERY_FIELDS: Final = 20
VERIFY_TOKEN: Final = "verifyToken"  # noqa: S105 - the name of a parameter, not a token


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


def meta_challenge(ask: Ask) -> HandshakeReply | None:
    """Echoes hub.challenge when hub.verify_token is ours.
    https://developers.facebook.com/docs/graph-api/webhooks/getting-started"""
    query = _query(ask.query)
    token = query.get("hub.verify_token", "").encode()
    wanted = ask.parameters.get(VERIFY_TOKEN, Secret(b""))
    challenge = query.get("hub.challenge", "")
    matches = hmac.compare_digest(token, wanted.reveal()) and bool(wanted)
    if not matches or query.get("hub.mode") != "subscribe" or not _echoable(challenge):
        return None
    return HandshakeReply(200, challenge.encode())


def slack_challenge(ask: Ask) -> HandshakeReply | None:
    """Echoes `challenge`. https://docs.slack.dev/reference/events/url_verification"""
    body = _json(ask.body)
    challenge = body.get("challenge")
    if body.get("type") != "url_verification" or not isinstance(challenge, str):
        return None
    return HandshakeReply(200, challenge.encode()) if _echoable(challenge) else None


def discord_ping(ask: Ask) -> HandshakeReply | None:
    """Answers the PING of interactions (type 1) and of webhook events (type 0, where type 1 is an
    event). https://docs.discord.com/developers/events/webhook-events"""
    body = _json(ask.body)
    kind = body.get("type")
    if isinstance(kind, bool) or "event" in body:
        return None
    if kind == 1:
        return HandshakeReply(200, b'{"type":1}', JSON)
    return HandshakeReply(204) if kind == 0 else None


def cloudevents_options(ask: Ask) -> HandshakeReply | None:
    """Consents to the origin that asks. Nothing is fetched: a callback URL is left alone.
    https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md#4-abuse-protection"""
    origins = [value for name, value in ask.headers if name == "webhook-request-origin"]
    if len(origins) != 1 or not _echoable(origins[0]):
        return None
    rate = "*" if ask.per_minute is None else str(ask.per_minute)
    allowed = (("WebHook-Allowed-Origin", origins[0]), ("WebHook-Allowed-Rate", rate))
    return HandshakeReply(200, headers=(("Allow", "OPTIONS, POST"), *allowed))


HANDSHAKES: Final[Mapping[str, Handshake]] = MappingProxyType(
    {
        "MetaChallenge": Handshake("GET", meta_challenge, (VERIFY_TOKEN,)),
        "SlackChallenge": Handshake("POST", slack_challenge),
        "DiscordPing": Handshake("POST", discord_ping),
        "CloudEventsOptions": Handshake("OPTIONS", cloudevents_options),
    }
)


def _echoable(text: str) -> bool:
    return 0 < len(text) <= MAX_CHALLENGE_CHARACTERS and text.isprintable()


def _query(text: str) -> Mapping[str, str]:
    """The fields of a query string; none when one is repeated or there are too many."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        return {}
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else {}


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
