"""StandardWebhooks: how its requests are signed, read and answered, with samples."""

from __future__ import annotations

from typing import Final

from hookplane.config.endpoint import Source
from hookplane.providers.preset import Preset, Variant
from hookplane.providers.sample_forms import FREE
from hookplane.providers.schemes import STANDARD, STANDARD_ED25519
from hookplane.signatures.signing import GeneratedKind

PRESET: Final = Preset(
    name="StandardWebhooks",
    doc="Key: whsec_ and base64 (v1), or the sender's public key, whpk_ and base64 (v1a). "
    "https://www.standardwebhooks.com",
    variants=(
        # The id belongs to one message, which is sent again as it was, signed anew.
        Variant(
            STANDARD_ED25519,
            Source(header="webhook-id"),
            key_prefix="whpk_",
            repeats_identical=True,
        ),
        Variant(STANDARD, Source(header="webhook-id"), repeats_identical=True),
    ),
    event_type=Source(body_path="type"),
    generated_key=GeneratedKind.WHSEC,
    samples=FREE,
)
