"""GitLab: how its requests are signed, read and answered, with samples."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from hookplane.config.endpoint import Source
from hookplane.providers.extract import key_of_headers
from hookplane.providers.preset import Preset, Variant
from hookplane.providers.sample_forms import Headers, Samples, Seed, json_request
from hookplane.providers.schemes import STANDARD, token
from hookplane.signatures.signing import GeneratedKind


def _gitlab(seed: Seed) -> tuple[Headers, bytes]:
    kind = seed.type.removesuffix(" Hook").lower().replace(" ", "_")
    body = {"object_kind": kind, "project": {"id": 15, "path_with_namespace": "mike/diaspora"}}
    return json_request(body, ("x-gitlab-event", seed.type), ("idempotency-key", seed.id))


_HOOK: Final = ("x-gitlab-instance", "x-gitlab-webhook-uuid", "x-gitlab-event")
"""Several hooks, also of several GitLabs, may share a URL."""

PRESET: Final = Preset(
    name="GitLab",
    doc="Key: the webhook's secret token, of your choice, or its signing token, whsec_…. "
    "https://docs.gitlab.com/user/project/integrations/webhooks/",
    variants=(
        Variant(
            STANDARD,
            Source(extractor="gitlab_signed_key"),
            key_prefix="whsec_",
            repeats_identical=True,
        ),
        Variant(token("x-gitlab-token"), Source(extractor="gitlab_key"), repeats_identical=True),
    ),
    event_type=Source(header="x-gitlab-event"),
    facts=(
        "x-gitlab-event",
        "x-gitlab-instance",
        "x-gitlab-webhook-uuid",
        "x-gitlab-event-uuid",
        "idempotency-key",
    ),
    max_body_size=25 << 20,  # GitLab sends nothing that is larger
    generated_key=GeneratedKind.HEX,
    extractors=MappingProxyType(
        {
            "gitlab_key": key_of_headers("idempotency-key", beside=_HOOK),
            # Of the headers it is the only one that is signed.
            "gitlab_signed_key": key_of_headers("webhook-id"),
        }
    ),
    samples=Samples(("Push Hook", "Merge Request Hook", "Issue Hook"), _gitlab, open=True),
)
