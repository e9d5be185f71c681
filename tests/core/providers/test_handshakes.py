"""Handshakes: who is answered, with what, and who is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hookplane.providers.handshakes import Ask, HandshakeReply
from hookplane.providers.registry import HANDSHAKES
from hookplane.secret import Secret

TOKEN = {"verifyToken": Secret("word")}
GOOD = "hub.mode=subscribe&hub.verify_token=word&hub.challenge=115%2042"


def ask(query: str = "", body: Any = None, origin: tuple[str, ...] = (), **rest: Any) -> Ask:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Ask(query, tuple(("webhook-request-origin", o) for o in origin), raw, **rest)


def test_meta_gets_its_challenge_back() -> None:
    reply = HANDSHAKES["MetaChallenge"].respond(ask(GOOD, parameters=TOKEN))
    assert reply == HandshakeReply(200, b"115 42")


META_REFUSED = [
    ("", TOKEN),
    (GOOD.replace("word", "wrong"), TOKEN),
    (GOOD.replace("word", ""), TOKEN),
    (GOOD.replace("subscribe", "unsubscribe"), TOKEN),
    (GOOD + "&hub.verify_token=other", TOKEN),  # never "first one wins"
    (GOOD + "&a=1" * 30, TOKEN),
    (GOOD.replace("115%2042", "%0D%0A"), TOKEN),
    (GOOD.replace("115%2042", "1" * 2000), TOKEN),
    (GOOD, {}),
    (GOOD.replace("word", ""), {"verifyToken": Secret("")}),
]


@pytest.mark.parametrize(("query", "parameters"), META_REFUSED)
def test_meta_is_refused(query: str, parameters: dict[str, Secret]) -> None:
    assert HANDSHAKES["MetaChallenge"].respond(ask(query, parameters=parameters)) is None


POSTED: list[tuple[str, Any, HandshakeReply | None]] = [
    ("SlackChallenge", {"type": "url_verification", "challenge": "c"}, HandshakeReply(200, b"c")),
    ("SlackChallenge", {"type": "event_callback", "challenge": "c"}, None),
    ("SlackChallenge", {"type": "url_verification", "challenge": 1}, None),
    ("SlackChallenge", {"type": "url_verification", "challenge": ""}, None),
    ("SlackChallenge", b"command=%2Fx", None),
    ("DiscordPing", {"type": 1}, HandshakeReply(200, b'{"type":1}', "application/json")),
    ("DiscordPing", {"type": 0}, HandshakeReply(204)),
    ("DiscordPing", {"type": 1, "event": {"type": "X"}}, None),  # a webhook event
    ("DiscordPing", {"type": 2}, None),
    ("DiscordPing", {"type": True}, None),
    ("DiscordPing", [1], None),
    ("DiscordPing", b"x", None),
]


@pytest.mark.parametrize(("name", "body", "wanted"), POSTED)
def test_handshakes_among_events(name: str, body: Any, wanted: HandshakeReply | None) -> None:
    assert HANDSHAKES[name].respond(ask(body=body)) == wanted


def test_cloudevents_consent_names_origin_and_rate() -> None:
    options = HANDSHAKES["CloudEventsOptions"].respond
    reply = options(ask(origin=("events.example.com",), per_minute=120))
    assert reply is not None
    assert ("WebHook-Allowed-Origin", "events.example.com") in reply.headers
    assert ("WebHook-Allowed-Rate", "120") in reply.headers
    unlimited = options(ask(origin=("events.example.com",)))
    assert unlimited is not None
    assert ("WebHook-Allowed-Rate", "*") in unlimited.headers


@pytest.mark.parametrize("origin", [(), ("",), ("a", "b")])
def test_cloudevents_without_one_origin_is_no_handshake(origin: tuple[str, ...]) -> None:
    assert HANDSHAKES["CloudEventsOptions"].respond(ask(origin=origin)) is None
