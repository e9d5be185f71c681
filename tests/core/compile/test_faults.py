"""A fault of ours about one object stops no other, and shows nothing of what is secret."""

from __future__ import annotations

from typing import Any

import pytest

from hookplane.compile.model import Resource
from hookplane.compile.resources import compile_resources
from hookplane.kinds.conditions import Reason
from hookplane.kinds.endpoint import WebhookEndpoint
from hookplane.kinds.subscription import WebhookSubscription
from hookplane.manifests.objects import parse_object
from support.planes.compiled import (
    LAPTOP,
    NOW,
    endpoint_text,
    manifests_of,
    subscription_text,
)

HUSH = "hush-hush"


class Unforeseen:
    """The spec of an object whose compiling fails as nobody foresaw."""

    gateway_ref = None

    def __getattr__(self, name: str) -> Any:
        raise KeyError(HUSH)


@pytest.mark.parametrize("kind", [WebhookEndpoint, WebhookSubscription])
def test_one_object_that_cannot_be_compiled(kind: type[Resource]) -> None:
    good = endpoint_text(name="e") + subscription_text("endpointRefs: [{name: e}]", name="s")
    resources = manifests_of(good).resources
    whole = next(x for x in resources if isinstance(x, kind))
    metadata = whole.metadata.model_copy(update={"name": "bad"})
    bad = whole.model_copy(update={"metadata": metadata, "spec": Unforeseen()})
    compiled = compile_resources([bad, *resources], (), LAPTOP, now=NOW)
    assert [x.name for x in compiled.endpoints if not x.builtin] == ["e"]
    assert [x.name for x in compiled.subscriptions] == ["s"]
    (problem,) = [x for x in compiled.problems if x.reason is Reason.INTERNAL_ERROR]
    assert (problem.name, problem.path) == ("bad", "")
    assert problem.message.startswith("a fault of Hookplane's own (KeyError at hookplane.compile.")
    assert HUSH not in problem.message


def test_one_object_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RecursionError(HUSH)

    monkeypatch.setattr(WebhookEndpoint, "model_validate", fail)
    version = "hookplane.dev/v1alpha1"
    metadata = {"name": "bad", "namespace": "shop"}
    data = {"apiVersion": version, "kind": "WebhookEndpoint", "metadata": metadata, "spec": {}}
    parsed = parse_object(data)
    assert parsed.value is None
    (problem,) = parsed.problems
    assert problem.reason is Reason.INTERNAL_ERROR
    assert "RecursionError at hookplane.manifests.objects:" in problem.message
    assert HUSH not in problem.message
