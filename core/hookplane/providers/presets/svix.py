"""Svix: how its requests are signed, read and answered, with samples."""

from __future__ import annotations

from typing import Final

from hookplane.config.endpoint import Source
from hookplane.providers.preset import Preset, Variant
from hookplane.providers.sample_forms import FREE
from hookplane.providers.schemes import standard_webhooks

PRESET: Final = Preset(
    name="Svix",
    doc="Key: the endpoint's signing secret, whsec_…. "
    "https://docs.svix.com/receiving/verifying-payloads/how-manual",
    variants=(
        Variant(standard_webhooks("svix"), Source(header="svix-id"), repeats_identical=True),
    ),
    event_type=Source(body_path="type"),
    samples=FREE,
)
