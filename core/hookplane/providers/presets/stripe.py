"""Stripe: how its requests are signed, read and answered, with samples."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from hookplane.config.endpoint import Source
from hookplane.providers.extract import Extractor, Facts, as_object, as_text, joined
from hookplane.providers.preset import Preset, Variant
from hookplane.providers.sample_forms import Headers, Samples, Seed, json_request
from hookplane.signatures.scheme import Layout, SignatureScheme, Timestamp


def stripe_key(facts: Facts) -> str:
    """The event's id, with what differs where several endpoints of Stripe share a URL: the
    connected account and the version in which each renders the event.
    https://docs.stripe.com/api/events/object"""
    event = as_object(facts.json)
    own = as_text(event.get("id"))
    beside = ("account", "context", "api_version", "livemode")
    return joined(own, *(as_text(event.get(name)) for name in beside)) if own else ""


def _stripe(seed: Seed) -> tuple[Headers, bytes]:
    thing = {"id": f"in_{seed.id}", "object": seed.type.partition(".")[0], "amount": 2000}
    event = {"id": f"evt_{seed.id}", "object": "event", "api_version": "2025-06-30.basil"}
    return json_request(
        {
            **event,
            "created": seed.seconds,
            "data": {"object": thing},
            "livemode": False,
            "pending_webhooks": 1,
            "type": seed.type,
        }
    )


PRESET: Final = Preset(
    name="Stripe",
    doc="Key: the endpoint's signing secret, whsec_…. https://docs.stripe.com/webhooks",
    variants=(
        Variant(
            SignatureScheme(
                header="stripe-signature",
                layout=Layout.KEY_VALUE,
                content="{timestamp}.{body}",
                timestamp=Timestamp(),
            ),
            # Repeats may differ: `pending_webhooks` counts who has not answered yet.
            Source(extractor="stripe_key"),
        ),
    ),
    event_type=Source(body_path="type"),
    extractors=MappingProxyType({"stripe_key": Extractor(stripe_key)}),
    samples=Samples(
        ("invoice.paid", "payment_intent.succeeded", "charge.refunded"), _stripe, open=True
    ),
)
