"""Discord: how its requests are signed, read and answered, with samples."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from hookplane.config.endpoint import Answer, Source
from hookplane.providers.extract import Extractor, Facts, as_object, as_text, joined
from hookplane.providers.handshakes import JSON_TYPE, Ask, Handshake, HandshakeReply, json_object
from hookplane.providers.preset import NO_CONTENT, Preset, Variant
from hookplane.providers.sample_forms import Headers, Samples, Seed, json_request
from hookplane.signatures.scheme import Algorithm, KeyEncoding, SignatureScheme, Timestamp
from hookplane.units import format_time

_DISCORD_INTERACTIONS: Final = {
    1: "PING",
    2: "APPLICATION_COMMAND",
    3: "MESSAGE_COMPONENT",
    4: "APPLICATION_COMMAND_AUTOCOMPLETE",
    5: "MODAL_SUBMIT",
}

_TOLERANCE: Final = 15 * 60_000
"""Webhook events are sent again for up to 10 minutes, and nothing says that they are signed anew.
https://docs.discord.com/developers/events/webhook-events"""


def discord_type(facts: Facts) -> str:
    """`event.type` of a webhook event, or the name of the interaction's type.
    https://docs.discord.com/developers/interactions/receiving-and-responding"""
    body = as_object(facts.json)
    if isinstance(body.get("event"), dict):
        return as_text(body["event"].get("type"))
    kind = body.get("type")
    return _DISCORD_INTERACTIONS.get(kind, as_text(kind)) if isinstance(kind, int) else ""


def discord_key(facts: Facts) -> str:
    """An interaction's id with its application; webhook events have none."""
    body = as_object(facts.json)
    own = as_text(body.get("id"))
    return joined(as_text(body.get("application_id")), own) if own else ""


def discord_ping(ask: Ask) -> HandshakeReply | None:
    """Answers the PING of interactions (type 1) and of webhook events (type 0, where type 1 is an
    event). https://docs.discord.com/developers/events/webhook-events"""
    body = json_object(ask.body)
    kind = body.get("type")
    if isinstance(kind, bool) or "event" in body:
        return None
    if kind == 1:
        return HandshakeReply(200, b'{"type":1}', JSON_TYPE)
    return HandshakeReply(204) if kind == 0 else None


def _discord(seed: Seed) -> tuple[Headers, bytes]:
    own = str(seed.number)
    user = {"id": "80351110224678912", "username": "nelly"}
    if seed.type == "APPLICATION_COMMAND":
        data = {"id": "771825006014889984", "name": "order", "type": 1}
        command = {"id": own, "application_id": "1234560123453231555", "type": 2, "token": "t"}
        return json_request({**command, "version": 1, "user": user, "data": data})
    event = {
        "type": "APPLICATION_AUTHORIZED",
        "timestamp": format_time(seed.now),
        "data": {"user": user, "scopes": ["applications.commands"], "nonce": own},
    }
    return json_request(
        {"version": 1, "application_id": "1234560123453231555", "type": 1, "event": event}
    )


PRESET: Final = Preset(
    name="Discord",
    doc="Key: the application's public key, 64 hexadecimal digits. "
    "https://docs.discord.com/developers/interactions/overview",
    variants=(
        Variant(
            SignatureScheme(
                header="x-signature-ed25519",
                algorithm=Algorithm.ED25519,
                key_encoding=KeyEncoding.HEX,
                content="{timestamp}{body}",
                timestamp=Timestamp(header="x-signature-timestamp", tolerance=_TOLERANCE),
            ),
            Source(extractor="discord_key"),
            # Only interactions have a key, and none is sent again.
            repeats_identical=True,
        ),
    ),
    event_type=Source(extractor="discord_type"),
    handshake="DiscordPing",
    answer=NO_CONTENT,
    # An interaction is answered by "wait": the subscriber follows up with its token.
    answers=MappingProxyType(
        {
            "APPLICATION_COMMAND": Answer(body='{"type":5}'),
            "MESSAGE_COMPONENT": Answer(body='{"type":6}'),
            "APPLICATION_COMMAND_AUTOCOMPLETE": Answer(body='{"type":8,"data":{"choices":[]}}'),
            "MODAL_SUBMIT": Answer(body='{"type":5}'),
        }
    ),
    extractors=MappingProxyType(
        {"discord_type": Extractor(discord_type), "discord_key": Extractor(discord_key)}
    ),
    handshakes=MappingProxyType({"DiscordPing": Handshake("POST", discord_ping)}),
    samples=Samples(("APPLICATION_COMMAND", "APPLICATION_AUTHORIZED"), _discord),
)
