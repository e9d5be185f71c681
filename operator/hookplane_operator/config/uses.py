"""Which Secrets and Services a resource refers to; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from hookplane.compile.generated import SIGNING_SUFFIX, VERIFICATION_SUFFIX
from hookplane.compile.model import Resource
from hookplane.kinds.base import SecretKeyRef
from hookplane.kinds.endpoint import WebhookEndpoint
from hookplane.kinds.subscription import SecretNameRef, WebhookSubscription


def secret_names(resource: Resource) -> frozenset[tuple[str, str]]:
    """Namespace and name of every Secret that is or may become of importance to it."""
    namespace = resource.metadata.namespace
    names = {ref.name for ref in _refs(resource.spec)} | set(_generated(resource))
    return frozenset((namespace, name) for name in names)


def service_name(resource: Resource) -> tuple[str, str] | None:
    """Namespace and name of the Service that is the target."""
    if not isinstance(resource, WebhookSubscription) or resource.spec.target.service_ref is None:
        return None
    return resource.metadata.namespace, resource.spec.target.service_ref.name


def asks_for_headers(subscription: Mapping[str, Any]) -> bool:
    """Whether the spec of a subscription, as it is written, may name headers of a request."""
    expressions = [subscription.get(part, {}).get("cel", "") for part in ("filter", "transform")]
    forwarded = subscription.get("target", {}).get("forwardHeaders")
    return bool(forwarded) or any("headers" in text for text in expressions)


def _generated(resource: Resource) -> Iterator[str]:
    name = resource.metadata.name
    if isinstance(resource, WebhookEndpoint) and resource.spec.verification.keys is None:
        yield f"{name}{VERIFICATION_SUFFIX}"
    if isinstance(resource, WebhookSubscription):
        signing = resource.spec.signing
        if signing.keys is None and signing.scheme != "None":
            yield f"{name}{SIGNING_SUFFIX}"


def _refs(value: object) -> Iterator[SecretKeyRef | SecretNameRef]:
    if isinstance(value, SecretKeyRef | SecretNameRef):
        yield value
    elif isinstance(value, BaseModel):
        for field in vars(value).values():
            yield from _refs(field)
    elif isinstance(value, list):
        for item in value:
            yield from _refs(item)
