"""Slack: how its requests are signed, read and answered, with samples."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

from hookplane.config.endpoint import Source
from hookplane.providers.extract import Extractor, Facts, as_object, as_text, joined
from hookplane.providers.handshakes import Ask, Handshake, HandshakeReply, echoable, json_object
from hookplane.providers.preset import EMPTY, Preset, Variant
from hookplane.providers.sample_forms import FORM, Headers, Samples, Seed, json_request
from hookplane.signatures.scheme import SignatureScheme, Timestamp


def slack_type(facts: Facts) -> str:
    """`event.type`, else the type of the interaction, or `slash_command`.
    https://docs.slack.dev/apis/events-api"""
    if "command" in facts.form:
        return "slash_command"
    message = facts.message
    return as_text(as_object(message.get("event")).get("type")) or as_text(message.get("type"))


def slack_key(facts: Facts) -> str:
    """`event_id` of the Events API with the app, since several may share a URL; forms have a
    `trigger_id`, which belongs to what the user did, not to one of the requests about it."""
    message, form = facts.message, facts.form
    app = as_text(message.get("api_app_id")) or form.get("api_app_id", "")
    event = as_text(message.get("event_id"))
    if event:
        return joined("event", app, event)
    trigger = as_text(message.get("trigger_id")) or form.get("trigger_id", "")
    kind = as_text(message.get("type")) or form.get("command", "")
    return joined("trigger", app, kind, trigger) if trigger else ""


def slack_challenge(ask: Ask) -> HandshakeReply | None:
    """Echoes `challenge`. https://docs.slack.dev/reference/events/url_verification"""
    body = json_object(ask.body)
    challenge = body.get("challenge")
    if body.get("type") != "url_verification" or not isinstance(challenge, str):
        return None
    return HandshakeReply(200, challenge.encode()) if echoable(challenge) else None


def _slack(seed: Seed) -> tuple[Headers, bytes]:
    if seed.type == "slash_command":
        fields = {"command": "/weather", "text": "94070", "user_id": "U2147483697"}
        return FORM, urlencode({**fields, "trigger_id": seed.id}).encode()
    event = {"type": seed.type, "user": "U061F7AUR", "text": "hello", "channel": "C0LAN2Q65"}
    body = {"type": "event_callback", "team_id": "T061EG9R6", "event": event}
    return json_request({**body, "event_id": f"Ev{seed.id}", "event_time": seed.seconds})


PRESET: Final = Preset(
    name="Slack",
    doc="Key: the app's signing secret (Basic Information). "
    "https://docs.slack.dev/authentication/verifying-requests-from-slack",
    variants=(
        Variant(
            SignatureScheme(
                header="x-slack-signature",
                prefix="v0=",
                content="v0:{timestamp}:{body}",
                timestamp=Timestamp(header="x-slack-request-timestamp"),
            ),
            Source(extractor="slack_key"),
        ),
    ),
    event_type=Source(extractor="slack_type"),
    # Which try it was, and why there was another one.
    stored=("x-slack-retry-num", "x-slack-retry-reason"),
    handshake="SlackChallenge",
    # The body of an answer to a slash command is shown to the user.
    answer=EMPTY,
    extractors=MappingProxyType(
        {"slack_type": Extractor(slack_type), "slack_key": Extractor(slack_key)}
    ),
    handshakes=MappingProxyType({"SlackChallenge": Handshake("POST", slack_challenge)}),
    samples=Samples(("message", "app_mention", "slash_command"), _slack, open=True),
)
