"""Event types and deduplication keys out of requests: by header, by path into the body, or by a
named function where a provider needs more.

When nothing is found the type is `unknown` and the key is the SHA-256 of the raw body. Nothing
here raises: a body that is not what it should be has no type, that is all. Bodies are bounded by
the endpoint's limit, their depth by the parser (orjson refuses more than 1,024 levels).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from hookplane.config.endpoint import Source

UNKNOWN_TYPE: Final = "unknown"
MAX_TYPE_CHARACTERS: Final = 128
MAX_KEY_BYTES: Final = 64
"""Longer keys are stored as their SHA-256."""
MAX_FORM_FIELDS: Final = 100
_FORM: Final = "application/x-www-form-urlencoded"


class Facts:
    """A request as extractors see it; the body is parsed when first asked for, and once."""

    __slots__ = ("_json", "body", "headers")

    _json: Any

    def __init__(self, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """`headers`: names in lower case."""
        self.headers = headers
        self.body = body

    def header(self, name: str) -> str:
        """The value of a header, or the empty string."""
        for header, value in self.headers:
            if header == name:
                return value
        return ""

    @property
    def json(self) -> Any:
        """The parsed body; None when it is not JSON."""
        try:
            return self._json
        except AttributeError:
            self._json = _parsed(self.body)
            return self._json

    @property
    def form(self) -> Mapping[str, str]:
        """The fields of a form; empty when the body is none."""
        if not self.header("content-type").lower().startswith(_FORM):
            return {}
        try:
            text = self.body.decode("utf-8", "replace")
            return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS))
        except ValueError:
            return {}

    @property
    def message(self) -> Mapping[str, Any]:
        """The JSON object in the body, or in the form field `payload`; empty when neither is."""
        form = self.form
        return _object(_parsed(form["payload"]) if "payload" in form else self.json)


Read = Callable[[Facts], str]
"""Finds a text in a request; the empty string when it is not there."""


@dataclass(frozen=True, slots=True)
class Extractor:
    """A named way to read, and the headers that it depends on."""

    read: Read
    headers: tuple[str, ...] = ()


def reader(source: Source) -> Extractor:
    """Makes a source ready to be used for every request."""
    if source.extractor is not None:
        return EXTRACTORS[source.extractor]
    if source.header is not None:
        name = source.header
        return Extractor(lambda facts: facts.header(name), (name,))
    if source.body_path is not None:
        steps = tuple(source.body_path.split("."))
        return Extractor(lambda facts: _text(_walk(facts.json, steps)))
    value = source.value or ""
    return Extractor(lambda facts: value)


def event_type(extractor: Extractor, facts: Facts) -> str:
    """At most 128 printable characters, or `unknown`."""
    text = extractor.read(facts)[:MAX_TYPE_CHARACTERS]
    if not text.isprintable():
        text = "".join(character for character in text if character.isprintable())
    return text.strip() or UNKNOWN_TYPE


def dedup_key(extractor: Extractor, facts: Facts) -> bytes:
    """At most 64 bytes that are the same for the same event."""
    text = extractor.read(facts)
    if not text:
        return hashlib.sha256(facts.body).digest()
    key = text.encode("utf-8", "surrogateescape")
    return key if len(key) <= MAX_KEY_BYTES else hashlib.sha256(key).digest()


def _parsed(text: bytes | str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _walk(value: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and len(step) < 10:
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else ""


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


# Meta: https://developers.facebook.com/docs/graph-api/webhooks ------------------------------------

_MESSAGING_TYPES: Final = {
    "message": "messages",
    "message_edit": "message_edits",
    "delivery": "message_deliveries",
    "read": "message_reads",
    "reaction": "message_reactions",
    "postback": "messaging_postbacks",
    "optin": "messaging_optins",
    "referral": "messaging_referrals",
}
_INSTAGRAM_TYPES: Final = {"read": "messaging_seen", "referral": "messaging_referral"}
_ADDRESSING: Final = frozenset({"sender", "recipient", "timestamp"})


def meta_type(facts: Facts) -> str:
    """The field that was subscribed to: `messages`, `statuses` (WhatsApp receipts, which Meta
    sends in the field messages), `messaging_postbacks`, `comments` … When a body holds several,
    `messages` wins, so that nobody who filters receipts out loses a message."""
    types = list(_meta_types(facts.json))
    return "messages" if "messages" in types else next(iter(types), "")


def meta_key(facts: Facts) -> str:
    """All ids of a body with what they belong to; nothing when a part of it has no id, so that
    [m1] and [m1, m2] are different, and a receipt is never taken for its message."""
    parts = [_meta_id(*item) for item in _meta_items(facts.json)]
    return "\n".join(parts) if all(parts) else ""


def _meta_items(body: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(entry id, list or field that it stands in, item)."""
    for entry in _objects(_object(body).get("entry")):
        owner = _text(entry.get("id"))
        for change in _objects(entry.get("changes")):
            yield owner, _text(change.get("field")), _object(change.get("value"))
        for channel in ("messaging", "standby"):
            for item in _objects(entry.get(channel)):
                yield owner, channel, item


def _meta_types(body: Any) -> Iterator[str]:
    names = _MESSAGING_TYPES
    if _object(body).get("object") == "instagram":
        names = names | _INSTAGRAM_TYPES
    for _, place, item in _meta_items(body):
        if place not in ("messaging", "standby"):
            yield "statuses" if _only_statuses(item) else place
        elif _object(item.get("message")).get("is_echo") is True:
            yield "message_echoes"
        else:
            key = _messaging_key(item)
            yield names.get(key, key)


def _only_statuses(value: Mapping[str, Any]) -> bool:
    return "statuses" in value and "messages" not in value


def _messaging_key(item: Mapping[str, Any]) -> str:
    return next((key for key in item if key not in _ADDRESSING), "")


def _meta_id(owner: str, place: str, item: Mapping[str, Any]) -> str:
    ids = _messaging_id(item) if place in ("messaging", "standby") else _change_ids(item)
    return "\n".join([owner, place, *ids]) if ids and all(ids) else ""


def _messaging_id(item: Mapping[str, Any]) -> list[str]:
    key = _messaging_key(item)
    if key not in ("message", "postback"):
        return []
    mid = _text(_object(item[key]).get("mid"))
    return [key, mid] if mid else []


def _change_ids(value: Mapping[str, Any]) -> list[str]:
    if set(value) - {"messaging_product", "metadata", "contacts", "messages", "statuses"}:
        return []
    messages = [_text(item.get("id")) for item in _objects(value.get("messages"))]
    return messages + [_status_id(item) for item in _objects(value.get("statuses"))]


def _status_id(status: Mapping[str, Any]) -> str:
    own = _text(status.get("id"))
    return f"{own} {_text(status.get('status'))} {_text(status.get('timestamp'))}" if own else ""


# Others -------------------------------------------------------------------------------------------

_DISCORD_INTERACTIONS: Final = {
    1: "PING",
    2: "APPLICATION_COMMAND",
    3: "MESSAGE_COMPONENT",
    4: "APPLICATION_COMMAND_AUTOCOMPLETE",
    5: "MODAL_SUBMIT",
}


def telegram_type(facts: Facts) -> str:
    """The kind of update: the member beside `update_id`.
    https://core.telegram.org/bots/api#update"""
    return next((key for key in _object(facts.json) if key != "update_id"), "")


def discord_type(facts: Facts) -> str:
    """`event.type` of a webhook event, or the name of the interaction's type.
    https://docs.discord.com/developers/interactions/receiving-and-responding"""
    body = _object(facts.json)
    if isinstance(body.get("event"), dict):
        return _text(body["event"].get("type"))
    kind = body.get("type")
    return _DISCORD_INTERACTIONS.get(kind, _text(kind)) if isinstance(kind, int) else ""


def github_type(facts: Facts) -> str:
    """The event with its action, such as `issues.opened`.
    https://docs.github.com/en/webhooks/webhook-events-and-payloads"""
    event = facts.header("x-github-event")
    action = _text(facts.message.get("action"))
    return f"{event}.{action}" if event and action else event


def slack_type(facts: Facts) -> str:
    """`event.type`, else the type of the interaction, or `slash_command`.
    https://docs.slack.dev/apis/events-api"""
    if "command" in facts.form:
        return "slash_command"
    message = facts.message
    return _text(_object(message.get("event")).get("type")) or _text(message.get("type"))


def slack_key(facts: Facts) -> str:
    """`event_id` of the Events API; forms have a `trigger_id` of their own."""
    message = facts.message
    own = _text(message.get("event_id")) or _text(message.get("trigger_id"))
    return own or facts.form.get("trigger_id", "")


def shopify_key(facts: Facts) -> str:
    """The webhook's id, else the event's with its topic: one event makes webhooks of several
    topics. https://shopify.dev/docs/apps/build/webhooks/ignore-duplicates"""
    webhook = facts.header("x-shopify-webhook-id")
    event = facts.header("x-shopify-event-id")
    if webhook or not event:
        return webhook
    return f"{facts.header('x-shopify-topic')} {event}"


EXTRACTORS: Final[Mapping[str, Extractor]] = MappingProxyType(
    {
        "meta_type": Extractor(meta_type),
        "meta_key": Extractor(meta_key),
        "telegram_type": Extractor(telegram_type),
        "discord_type": Extractor(discord_type),
        "github_type": Extractor(github_type, ("x-github-event",)),
        "slack_type": Extractor(slack_type),
        "slack_key": Extractor(slack_key),
        "shopify_key": Extractor(
            shopify_key, ("x-shopify-webhook-id", "x-shopify-event-id", "x-shopify-topic")
        ),
    }
)
