"""What WhatsApp, Messenger and Instagram share.

https://developers.facebook.com/docs/graph-api/webhooks
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from hookplane.config.endpoint import Source
from hookplane.providers.extract import Extractor, Facts, as_object, as_objects, as_text
from hookplane.providers.handshakes import Ask, Handshake, HandshakeReply, echoable, query_fields
from hookplane.providers.preset import Preset, Variant
from hookplane.providers.sample_forms import Headers, Samples, Seed, json_request
from hookplane.providers.schemes import HUB_SHA256
from hookplane.secret import Secret

VERIFY_TOKEN: Final = "verifyToken"  # noqa: S105 - the name of a parameter, not a token
_MESSAGING_TYPES: Final = {
    "message": "messages",
    "message_edit": "message_edits",
    "delivery": "message_deliveries",
    "read": "message_reads",
    "reaction": "message_reactions",
    "postback": "messaging_postbacks",
    "optin": "messaging_optins",
    "referral": "messaging_referrals",
    "account_linking": "messaging_account_linking",
    "game_play": "messaging_game_plays",
    "pass_thread_control": "messaging_handovers",
    "take_thread_control": "messaging_handovers",
    "request_thread_control": "messaging_handovers",
    "app_roles": "messaging_handovers",
    "policy_enforcement": "messaging_policy_enforcement",
    "policy-enforcement": "messaging_policy_enforcement",
    "checkout_update": "messaging_checkout_updates",
    "pre_checkout": "messaging_pre_checkouts",
    "payment": "messaging_payments",
}
"""Member of an item → the field by which a page subscribes to it. Other members, such as
`messaging_feedback`, are named as their field is."""
_INSTAGRAM_TYPES: Final = {
    "read": "messaging_seen",
    "referral": "messaging_referral",
    **{
        member: "messaging_handover"
        for member, name in _MESSAGING_TYPES.items()
        if name == "messaging_handovers"
    },
}
_ADDRESSING: Final = frozenset({"sender", "recipient", "timestamp"})


def meta_preset(name: str, samples: Samples) -> Preset:
    """A product of Meta's; they differ in their samples alone."""
    return Preset(
        name=name,
        doc="Key: the app secret (Meta app dashboard, Settings, Basic). Parameter verifyToken: a "
        "word of your choice, entered beside the callback URL. "
        "https://developers.facebook.com/docs/graph-api/webhooks/getting-started",
        variants=(Variant(HUB_SHA256, Source(extractor="meta_key")),),
        event_type=Source(extractor="meta_type"),
        handshake="MetaChallenge",
        # Payloads of WhatsApp can be up to 3 MB.
        max_body_size=3 << 20,
        extractors=MappingProxyType(
            {"meta_type": Extractor(meta_type), "meta_key": Extractor(meta_key)}
        ),
        handshakes=MappingProxyType(
            {"MetaChallenge": Handshake("GET", meta_challenge, (VERIFY_TOKEN,))}
        ),
        samples=samples,
    )


def messaging_samples(kind: str) -> Samples:
    """Messages and postbacks of Messenger (`page`) and Instagram (`instagram`)."""

    def build(seed: Seed) -> tuple[Headers, bytes]:
        own = f"m_{seed.id}"
        item: dict[str, Any] = {"sender": {"id": "4242"}, "recipient": {"id": "1717"}}
        item["timestamp"] = seed.now
        if seed.type == "messaging_postbacks":
            item["postback"] = {"mid": own, "title": "Get started", "payload": "START"}
        else:
            item["message"] = {"mid": own, "text": "Are you open on Sunday?"}
        return json_request(
            {"object": kind, "entry": [{"id": "1717", "time": seed.now, "messaging": [item]}]}
        )

    return Samples(("messages", "messaging_postbacks"), build)


def meta_challenge(ask: Ask) -> HandshakeReply | None:
    """Echoes hub.challenge when hub.verify_token is ours.
    https://developers.facebook.com/docs/graph-api/webhooks/getting-started"""
    query = query_fields(ask.query)
    token = query.get("hub.verify_token", "").encode()
    wanted = ask.parameters.get(VERIFY_TOKEN, Secret(b""))
    challenge = query.get("hub.challenge", "")
    matches = hmac.compare_digest(token, wanted.reveal()) and bool(wanted)
    if not matches or query.get("hub.mode") != "subscribe" or not echoable(challenge):
        return None
    return HandshakeReply(200, challenge.encode())


def meta_type(facts: Facts) -> str:
    """The field that was subscribed to: `messages`, `statuses` (WhatsApp receipts, which Meta
    sends in the field messages), `messaging_postbacks`, `comments` … When a body holds several,
    `messages` wins, so that nobody who filters receipts out loses a message."""
    types = list(_meta_types(facts.json))
    return "messages" if "messages" in types else next(iter(types), "")


def meta_key(facts: Facts) -> str:
    """All that a body tells but the time at which it was sent, which a repeat has of its own: a
    receipt, an unsent and an edited message carry the id of the message, and receipts in a group
    differ by their participant alone. Nothing when a part of the body has neither id nor time."""
    items = list(_meta_items(facts.json))
    if not items or not all(_identified(item) for _, _, item in items):
        return ""
    kind = as_text(as_object(facts.json).get("object"))
    told = [(owner, place, _told(item)) for owner, place, item in items]
    return json.dumps([kind, told], sort_keys=True)


def _meta_items(body: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(entry id, list or field that it stands in, item)."""
    for entry in as_objects(as_object(body).get("entry")):
        owner = as_text(entry.get("id"))
        for change in as_objects(entry.get("changes")):
            yield owner, as_text(change.get("field")), as_object(change.get("value"))
        for channel in ("messaging", "standby"):
            for item in as_objects(entry.get(channel)):
                yield owner, channel, item


def _meta_types(body: Any) -> Iterator[str]:
    names = _MESSAGING_TYPES
    if as_object(body).get("object") == "instagram":
        names = names | _INSTAGRAM_TYPES
    for _, place, item in _meta_items(body):
        if place not in ("messaging", "standby"):
            yield "statuses" if _only_statuses(item) else place
        elif as_object(item.get("message")).get("is_echo") is True:
            yield "message_echoes"
        else:
            key = _messaging_key(item)
            yield names.get(key, key)


def _only_statuses(value: Mapping[str, Any]) -> bool:
    return "statuses" in value and "messages" not in value


def _messaging_key(item: Mapping[str, Any]) -> str:
    return next((key for key in item if key not in _ADDRESSING), "")


_IDENTIFYING: Final = ("id", "mid", "timestamp", "created_time")


def _identified(item: Mapping[str, Any]) -> bool:
    """Whether something in it belongs to this event alone: an id or the time of what happened."""
    lists = [as_objects(item.get(name)) for name in ("messages", "statuses")]
    if any(lists):
        return all(_marked(part) for part in lists[0] + lists[1])
    return _marked(item) or any("mid" in as_object(part) for part in item.values())


def _marked(part: Mapping[str, Any]) -> bool:
    return any(as_text(part.get(name)) for name in _IDENTIFYING)


def _told(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without the profiles of those who wrote, which stand beside the messages."""
    if "messages" not in item and "statuses" not in item:
        return item
    return {name: value for name, value in item.items() if name != "contacts"}
