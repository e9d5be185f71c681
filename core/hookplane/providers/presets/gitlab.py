"""GitLab: how its requests are signed, read and answered, with samples."""

from __future__ import annotations

from typing import Final

from hookplane.config.endpoint import Source
from hookplane.providers.preset import Preset, Variant
from hookplane.providers.sample_forms import Headers, Samples, Seed, json_request
from hookplane.providers.schemes import STANDARD, token
from hookplane.signatures.signing import GeneratedKind


def _gitlab(seed: Seed) -> tuple[Headers, bytes]:
    kind = seed.type.removesuffix(" Hook").lower().replace(" ", "_")
    body = {"object_kind": kind, "project": {"id": 15, "path_with_namespace": "mike/diaspora"}}
    return json_request(body, ("x-gitlab-event", seed.type), ("idempotency-key", seed.id))


PRESET: Final = Preset(
    name="GitLab",
    doc="Key: the webhook's secret token, of your choice, or its signing token, whsec_…. "
    "https://docs.gitlab.com/user/project/integrations/webhooks/",
    variants=(
        Variant(STANDARD, Source(header="webhook-id"), key_prefix="whsec_"),
        Variant(token("x-gitlab-token"), Source(header="idempotency-key")),
    ),
    event_type=Source(header="x-gitlab-event"),
    generated_key=GeneratedKind.HEX,
    samples=Samples(("Push Hook", "Merge Request Hook", "Issue Hook"), _gitlab, open=True),
)
