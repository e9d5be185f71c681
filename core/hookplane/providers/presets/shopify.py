"""Shopify: how its requests are signed, read and answered, with samples."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from hookplane.config.endpoint import Source
from hookplane.providers.extract import Extractor, Facts, as_object, as_text, key_of_headers
from hookplane.providers.preset import Preset, Variant
from hookplane.providers.sample_forms import Headers, Samples, Seed, json_request
from hookplane.signatures.scheme import Encoding, SignatureScheme

_WHERE: Final = ("x-shopify-shop-domain", "x-shopify-topic")
_SUBSCRIPTION: Final = (
    "x-shopify-sub-topic",
    "x-shopify-name",
    "x-shopify-api-version",
)


def shopify_key(facts: Facts) -> str:
    """The body with its topic, where it is one state of one object; else the webhook's id, else the
    event's with the subscription that asked for it: one event makes webhooks of several topics, and
    of several subscriptions to one. Only the body is signed: whoever has one request could send it
    under any number of ids. A repeat has "the original payload".
    https://shopify.dev/docs/apps/build/webhooks/ignore-duplicates
    https://shopify.dev/changelog/updates-to-webhook-retry-mechanism"""
    if _is_one_state(as_object(facts.json)):
        digest = hashlib.sha256(facts.body).hexdigest()
        return f"body:{digest}:{facts.header('x-shopify-topic')}"
    return _BY_WEBHOOK.read(facts) or _BY_EVENT.read(facts)


_BY_WEBHOOK: Final = key_of_headers("x-shopify-webhook-id", beside=_WHERE)
_BY_EVENT: Final = key_of_headers("x-shopify-event-id", beside=(*_WHERE, *_SUBSCRIPTION))

_OBJECTS: Final = ("line_items", "variants", "order_id", "verified_email")
"""What only orders (drafts, checkouts and carts with them), products, fulfilments and customers
have. Shops are not among them: one that takes an app away twice is told of in equal bytes."""


def _is_one_state(message: Mapping[str, Any]) -> bool:
    """Whether a body shows an object as it was at a time that stands in it."""
    named = bool(as_text(message.get("id"))) and bool(as_text(message.get("updated_at")))
    return named and any(name in message for name in _OBJECTS)


def _shopify(seed: Seed) -> tuple[Headers, bytes]:
    body = {"id": seed.number, "name": "#1001", "total_price": "199.00", "currency": "EUR"}
    shop = ("x-shopify-shop-domain", "example.myshopify.com")
    return json_request(
        body, ("x-shopify-topic", seed.type), ("x-shopify-webhook-id", seed.id), shop
    )


PRESET: Final = Preset(
    name="Shopify",
    doc="Key: the app's client secret; keep the old one for an hour after a rotation. "
    "https://shopify.dev/docs/apps/build/webhooks/verify-deliveries",
    variants=(
        Variant(
            SignatureScheme(header="x-shopify-hmac-sha256", encoding=Encoding.BASE64),
            Source(extractor="shopify_key"),
        ),
    ),
    event_type=Source(header="x-shopify-topic"),
    facts=(
        *_WHERE,
        *_SUBSCRIPTION,
        "x-shopify-webhook-id",
        "x-shopify-event-id",
        "x-shopify-triggered-at",
        "x-shopify-test",
    ),
    extractors=MappingProxyType(
        {"shopify_key": Extractor(shopify_key, (*_BY_WEBHOOK.headers, *_BY_EVENT.headers))}
    ),
    samples=Samples(("orders/create", "orders/paid", "products/update"), _shopify, open=True),
)
