"""Realistic requests of each provider, unsigned: `signatures.request.sign_request` signs them.

Shapes follow the providers' public payload pages; all values are made up.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from hookplane.clock import Millis
from hookplane.errors import InvalidValue
from hookplane.ids import RandomBytes
from hookplane.providers import presets
from hookplane.units import format_time

JSON: Final = (("content-type", "application/json"),)
FORM: Final = (("content-type", "application/x-www-form-urlencoded"),)
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A request that is ready to be signed."""

    id: str
    """Fresh in every sample; {id} of what is signed."""
    type: str
    headers: Headers
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class _Seed:
    """What differs from sample to sample."""

    type: str
    id: str
    now: Millis

    @property
    def seconds(self) -> int:
        return self.now // 1000

    @property
    def number(self) -> int:
        return int(self.id, 16) % 10**15


Build = Callable[[_Seed], tuple[Headers, bytes]]


def types(provider: str) -> tuple[str, ...]:
    """Event types that there are samples of; the first is the usual one. Raises InvalidValue."""
    presets.get(provider)
    return _SAMPLES[provider].types


def sample(
    provider: str,
    type: str,  # noqa: A002
    now: Millis,
    random_bytes: RandomBytes = secrets.token_bytes,
) -> Sample:
    """A request of this type; the empty type is the usual one. Raises InvalidValue for a type
    that the provider's samples do not have."""
    known = types(provider)
    kind = _SAMPLES[provider]
    wanted = type or known[0]
    if wanted not in known and not kind.open:
        raise InvalidValue(f'no sample "{wanted}" for {provider}; there are: {", ".join(known)}')
    seed = _Seed(wanted, random_bytes(12).hex(), now)
    headers, body = kind.build(seed)
    return Sample(f"msg_{seed.id}", wanted, headers, body)


def _json(value: Mapping[str, Any], *headers: tuple[str, str]) -> tuple[Headers, bytes]:
    return (*JSON, *headers), orjson.dumps(value)


def _standard(seed: _Seed) -> tuple[Headers, bytes]:
    data = {"id": f"ord_{seed.number}", "amount": 4200, "currency": "EUR"}
    return _json({"type": seed.type, "timestamp": format_time(seed.now), "data": data})


def _whatsapp(seed: _Seed) -> tuple[Headers, bytes]:
    own, at = f"wamid.{seed.id}", str(seed.seconds)
    phone = {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"}
    value: dict[str, Any] = {"messaging_product": "whatsapp", "metadata": phone}
    if seed.type == "statuses":
        value["statuses"] = [
            {"id": own, "status": "delivered", "timestamp": at, "recipient_id": "16505551234"}
        ]
    else:
        value["contacts"] = [{"profile": {"name": "Sheena Nelson"}, "wa_id": "16505551234"}]
        text = {"body": "Does it come in another color?"}
        value["messages"] = [
            {"from": "16505551234", "id": own, "timestamp": at, "type": "text", "text": text}
        ]
    change = {"field": "messages", "value": value}
    entry = [{"id": "102290129340398", "changes": [change]}]
    return _json({"object": "whatsapp_business_account", "entry": entry})


def _messaging(kind: str) -> Build:
    def build(seed: _Seed) -> tuple[Headers, bytes]:
        own = f"m_{seed.id}"
        item: dict[str, Any] = {"sender": {"id": "4242"}, "recipient": {"id": "1717"}}
        item["timestamp"] = seed.now
        if seed.type == "messaging_postbacks":
            item["postback"] = {"mid": own, "title": "Get started", "payload": "START"}
        else:
            item["message"] = {"mid": own, "text": "Are you open on Sunday?"}
        return _json(
            {"object": kind, "entry": [{"id": "1717", "time": seed.now, "messaging": [item]}]}
        )

    return build


def _telegram(seed: _Seed) -> tuple[Headers, bytes]:
    person = {"id": 1111, "is_bot": False, "first_name": "Ada"}
    message = {
        "message_id": seed.number % 100_000,
        "from": person,
        "chat": {"id": 1111, "type": "private", "first_name": "Ada"},
        "date": seed.seconds,
        "text": "/start",
    }
    query = {"id": str(seed.number), "from": person, "message": message, "data": "yes"}
    content = query if seed.type == "callback_query" else message
    return _json({"update_id": seed.number, seed.type: content})


def _discord(seed: _Seed) -> tuple[Headers, bytes]:
    own = str(seed.number)
    user = {"id": "80351110224678912", "username": "nelly"}
    if seed.type == "APPLICATION_COMMAND":
        data = {"id": "771825006014889984", "name": "order", "type": 1}
        command = {"id": own, "application_id": "1234560123453231555", "type": 2, "token": "t"}
        return _json({**command, "version": 1, "user": user, "data": data})
    event = {
        "type": "APPLICATION_AUTHORIZED",
        "timestamp": format_time(seed.now),
        "data": {"user": user, "scopes": ["applications.commands"], "nonce": own},
    }
    return _json({"version": 1, "application_id": "1234560123453231555", "type": 1, "event": event})


def _stripe(seed: _Seed) -> tuple[Headers, bytes]:
    thing = {"id": f"in_{seed.id}", "object": seed.type.partition(".")[0], "amount": 2000}
    event = {"id": f"evt_{seed.id}", "object": "event", "api_version": "2025-06-30.basil"}
    return _json(
        {
            **event,
            "created": seed.seconds,
            "data": {"object": thing},
            "livemode": False,
            "pending_webhooks": 1,
            "type": seed.type,
        }
    )


def _github(seed: _Seed) -> tuple[Headers, bytes]:
    event, _, action = seed.type.partition(".")
    body: dict[str, Any] = {"action": action} if action else {"ref": "refs/heads/main"}
    body["repository"] = {"id": 1296269, "full_name": "octocat/Hello-World"}
    body["sender"] = {"login": "octocat", "id": 1}
    own = f"{seed.id[:8]}-{seed.id[8:12]}-11e3-81ab-{seed.id[12:]}"
    return _json(body, ("x-github-event", event), ("x-github-delivery", own))


def _gitlab(seed: _Seed) -> tuple[Headers, bytes]:
    kind = seed.type.removesuffix(" Hook").lower().replace(" ", "_")
    body = {"object_kind": kind, "project": {"id": 15, "path_with_namespace": "mike/diaspora"}}
    return _json(body, ("x-gitlab-event", seed.type), ("idempotency-key", seed.id))


def _slack(seed: _Seed) -> tuple[Headers, bytes]:
    if seed.type == "slash_command":
        fields = {"command": "/weather", "text": "94070", "user_id": "U2147483697"}
        return FORM, urlencode({**fields, "trigger_id": seed.id}).encode()
    event = {"type": seed.type, "user": "U061F7AUR", "text": "hello", "channel": "C0LAN2Q65"}
    body = {"type": "event_callback", "team_id": "T061EG9R6", "event": event}
    return _json({**body, "event_id": f"Ev{seed.id}", "event_time": seed.seconds})


def _shopify(seed: _Seed) -> tuple[Headers, bytes]:
    body = {"id": seed.number, "name": "#1001", "total_price": "199.00", "currency": "EUR"}
    shop = ("x-shopify-shop-domain", "example.myshopify.com")
    return _json(body, ("x-shopify-topic", seed.type), ("x-shopify-webhook-id", seed.id), shop)


@dataclass(frozen=True, slots=True)
class _Samples:
    types: tuple[str, ...]
    build: Build
    open: bool = False
    """Any other type can be built as well."""


_FREE: Final = _Samples(("order.created", "order.paid", "order.cancelled"), _standard, open=True)
_SAMPLES: Final[Mapping[str, _Samples]] = {
    "StandardWebhooks": _FREE,
    "Svix": _FREE,
    "Generic": _FREE,
    "WhatsApp": _Samples(("messages", "statuses"), _whatsapp),
    "Messenger": _Samples(("messages", "messaging_postbacks"), _messaging("page")),
    "Instagram": _Samples(("messages", "messaging_postbacks"), _messaging("instagram")),
    "Telegram": _Samples(("message", "edited_message", "callback_query"), _telegram),
    "Discord": _Samples(("APPLICATION_COMMAND", "APPLICATION_AUTHORIZED"), _discord),
    "Stripe": _Samples(
        ("invoice.paid", "payment_intent.succeeded", "charge.refunded"), _stripe, open=True
    ),
    "GitHub": _Samples(
        ("push", "issues.opened", "pull_request.opened", "ping"), _github, open=True
    ),
    "GitLab": _Samples(("Push Hook", "Merge Request Hook", "Issue Hook"), _gitlab, open=True),
    "Slack": _Samples(("message", "app_mention", "slash_command"), _slack, open=True),
    "Shopify": _Samples(("orders/create", "orders/paid", "products/update"), _shopify, open=True),
}
