"""A fault of ours about one object stops no other, and shows nothing of what is secret."""

from __future__ import annotations

from typing import Any

import pytest

from hookplane.compile.endpoint import EndpointCompiler
from hookplane.compile.subscription import SubscriptionCompiler
from hookplane.kinds.conditions import Reason
from hookplane.kinds.endpoint import WebhookEndpoint
from hookplane.manifests.objects import parse_object
from support.planes.compiled import compiled_of, endpoint_text, subscription_text

HUSH = "hush-hush"


def broken(compiler: type[Any], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`compiler` fails for the object of this name as nobody foresaw."""
    compiled = compiler.compile

    def fail(self: Any) -> Any:
        if self.resource.metadata.name == name:
            raise KeyError(HUSH)
        return compiled(self)

    monkeypatch.setattr(compiler, "compile", fail)


@pytest.mark.parametrize("compiler", [EndpointCompiler, SubscriptionCompiler])
def test_one_object_that_cannot_be_compiled(
    compiler: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(compiler, "bad", monkeypatch)
    good = endpoint_text(name="e") + subscription_text("endpointRefs: [{name: e}]", name="s")
    bad = (
        endpoint_text(name="bad")
        if compiler is EndpointCompiler
        else subscription_text("endpointRefs: [{name: e}]", name="bad")
    )
    compiled = compiled_of(bad + good)
    assert [x.name for x in compiled.endpoints if not x.builtin] == ["e"]
    assert [x.name for x in compiled.subscriptions] == ["s"]
    (problem,) = [x for x in compiled.problems if x.reason is Reason.INTERNAL_ERROR]
    assert (problem.name, problem.path) == ("bad", "")
    assert problem.message.startswith(
        "a fault of Hookplane's own (KeyError at hookplane.compile.resources:"
    )
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
