"""Shopify: how its requests are signed, read and answered, with samples."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from hookplane.config.endpoint import Source
from hookplane.providers.extract import Extractor, Facts
from hookplane.providers.preset import Preset, Variant
from hookplane.providers.sample_forms import Headers, Samples, Seed, json_request
from hookplane.signatures.scheme import Encoding, SignatureScheme


def shopify_key(facts: Facts) -> str:
    """The webhook's id, else the event's with its topic: one event makes webhooks of several
    topics. https://shopify.dev/docs/apps/build/webhooks/ignore-duplicates"""
    webhook = facts.header("x-shopify-webhook-id")
    event = facts.header("x-shopify-event-id")
    if webhook or not event:
        return webhook
    return f"{facts.header('x-shopify-topic')} {event}"


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
    extractors=MappingProxyType(
        {
            "shopify_key": Extractor(
                shopify_key, ("x-shopify-webhook-id", "x-shopify-event-id", "x-shopify-topic")
            )
        }
    ),
    samples=Samples(("orders/create", "orders/paid", "products/update"), _shopify, open=True),
)
