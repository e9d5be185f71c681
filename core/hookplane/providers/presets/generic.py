"""Any other sender: the user says how its requests are signed."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from hookplane.config.endpoint import Source
from hookplane.providers.handshakes import Ask, Handshake, HandshakeReply, echoable
from hookplane.providers.preset import Preset, Variant
from hookplane.providers.sample_forms import FREE


def cloudevents_options(ask: Ask) -> HandshakeReply | None:
    """Consents to the origin that asks. Nothing is fetched: a callback URL is left alone.
    https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md#4-abuse-protection"""
    origins = [value for name, value in ask.headers if name == "webhook-request-origin"]
    if len(origins) != 1 or not echoable(origins[0]):
        return None
    rate = "*" if ask.per_minute is None else str(ask.per_minute)
    allowed = (("WebHook-Allowed-Origin", origins[0]), ("WebHook-Allowed-Rate", rate))
    return HandshakeReply(200, headers=(("Allow", "OPTIONS, POST"), *allowed))


PRESET: Final = Preset(
    name="Generic",
    doc="How requests are signed is said in verification.signature.",
    variants=(Variant(None, None),),
    event_type=Source(value="unknown"),
    handshakes=MappingProxyType({"CloudEventsOptions": Handshake("OPTIONS", cloudevents_options)}),
    samples=FREE,
)
