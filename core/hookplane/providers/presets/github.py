"""GitHub: how its requests are signed, read and answered, with samples."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from hookplane.config.endpoint import Source
from hookplane.providers.extract import Extractor, Facts, as_object, as_text, key_of_headers
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


def github_key(facts: Facts) -> str:
    """The body, where GitHub sends the same bytes only about the same occurrence; else the GUID of
    the delivery. Only the body is signed: whoever has one request could send it under any number
    of GUIDs, or under none."""
    if _is_one_occurrence(_signed_message(facts)):
        return f"body:{hashlib.sha256(facts.body).hexdigest()}"
    return _BY_DELIVERY.read(facts)


# One occurrence has the same GUID for every hook that is told of it.
_BY_DELIVERY: Final = key_of_headers(
    "x-github-delivery", beside=("x-github-hook-id", "x-github-event")
)
_ONCE: Final = frozenset({"opened", "created", "submitted"})
"""Actions that an object meets once in its life."""
_MADE: Final = (
    *("comment", "review", "issue", "pull_request", "discussion"),
    *("deployment", "deployment_status", "release"),
)
_DATED: Final = frozenset({"edited", "closed", "reopened", "synchronize", "completed"})
"""Actions that set the time of an object's last change. Of others that is not known, or they tell
no time at all: who becomes a member twice in a day is told of in equal bytes."""
_CHANGED: Final = ("issue", "pull_request", "discussion", "workflow_run", "check_suite")


def _signed_message(facts: Facts) -> Mapping[str, Any]:
    """What the body says, whatever its Content-Type, which is not signed."""
    if not facts.body.startswith(b"payload="):
        return as_object(facts.json)
    return Facts((("content-type", "application/x-www-form-urlencoded"),), facts.body).message


def _is_one_occurrence(message: Mapping[str, Any]) -> bool:
    action = as_text(message.get("action"))
    if action in _ONCE:
        return any(as_text(as_object(message.get(name)).get("id")) for name in _MADE)
    if action in _DATED and "review" not in message:  # their changes have no time
        return any(as_text(as_object(message.get(name)).get("updated_at")) for name in _CHANGED)
    return "after" in message and bool(
        as_text(as_object(message.get("repository")).get("pushed_at"))
    )


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
            "github_key": Extractor(github_key, _BY_DELIVERY.headers),
        }
    ),
    samples=Samples(("push", "issues.opened", "pull_request.opened", "ping"), _github, open=True),
)
