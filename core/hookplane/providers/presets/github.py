"""GitHub: how its requests are signed, read and answered, with samples."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from hookplane.config.endpoint import Source
from hookplane.providers.extract import Extractor, Facts, as_text, key_of_headers
from hookplane.providers.preset import Preset, Variant
from hookplane.providers.sample_forms import Headers, Samples, Seed, json_request
from hookplane.providers.schemes import HUB_SHA256
from hookplane.signatures.signing import GeneratedKind


def github_type(facts: Facts) -> str:
    """The event with its action, such as `issues.opened`.
    https://docs.github.com/en/webhooks/webhook-events-and-payloads"""
    event = facts.header("x-github-event")
    action = as_text(facts.message.get("action"))
    return f"{event}.{action}" if event and action else event


def _github(seed: Seed) -> tuple[Headers, bytes]:
    event, _, action = seed.type.partition(".")
    body: dict[str, Any] = {"action": action} if action else {"ref": "refs/heads/main"}
    body["repository"] = {"id": 1296269, "full_name": "octocat/Hello-World"}
    body["sender"] = {"login": "octocat", "id": 1}
    own = f"{seed.id[:8]}-{seed.id[8:12]}-11e3-81ab-{seed.id[12:]}"
    return json_request(body, ("x-github-event", event), ("x-github-delivery", own))


PRESET: Final = Preset(
    name="GitHub",
    doc="Key: the webhook's secret, of your choice. "
    "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
    # A redelivery sends what the delivery sent, under its GUID.
    variants=(Variant(HUB_SHA256, Source(extractor="github_key"), repeats_identical=True),),
    event_type=Source(extractor="github_type"),
    facts=(
        "x-github-event",
        "x-github-delivery",
        "x-github-hook-id",
        "x-github-hook-installation-target-id",
        "x-github-hook-installation-target-type",
        "x-github-enterprise-host",
        "x-github-enterprise-version",
    ),
    # "Payloads are capped at 25 MB"; what was refused GitHub never sends again by itself.
    max_body_size=25 << 20,
    generated_key=GeneratedKind.HEX,
    extractors=MappingProxyType(
        {
            "github_type": Extractor(github_type, ("x-github-event",)),
            # One occurrence has the same GUID for every hook that is told of it.
            "github_key": key_of_headers(
                "x-github-delivery", beside=("x-github-hook-id", "x-github-event")
            ),
        }
    ),
    samples=Samples(("push", "issues.opened", "pull_request.opened", "ping"), _github, open=True),
)
