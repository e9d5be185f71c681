"""Manifests as text, compiled: for tests of compile and of the laptop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hookplane.compile.model import Compiled, Options, SecretObject, Severity
from hookplane.compile.resources import compile_resources
from hookplane.config.base import Document
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.manifests.files import SourceText
from hookplane.manifests.model import Manifests
from hookplane.manifests.read import read_manifests
from hookplane.secret import Secret

NOW = 1_764_000_000_000
LAPTOP = Options(loopback_allowed=True)
WHSEC = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def manifests_of(text: str) -> Manifests:
    """Reads one text and demands that nothing is wrong with it as text."""
    manifests = read_manifests([SourceText("test.yaml", text)])
    assert [str(finding) for finding in manifests.findings] == []
    return manifests


def generated(name: str, key: str = WHSEC, previous: str = "") -> SecretObject:
    """A generated Secret in the namespace `default`."""
    values = {"key": key, "previous": previous}
    data = {field: Secret(value) for field, value in values.items() if value}
    return SecretObject("default", name, data, generated=True)


def compiled_of(
    text: str,
    *secrets: SecretObject,
    options: Options = LAPTOP,
    known: Sequence[Document] = (),
) -> Compiled:
    """Compiles manifests with their Secrets and `secrets`."""
    manifests = manifests_of(text)
    return compile_resources(
        manifests.resources, [*manifests.secrets, *secrets], options, now=NOW, known=known
    )


def endpoint_text(spec: str = "{}", name: str = "a", labels: str = "{}") -> str:
    """`spec` in flow style, such as `{provider: GitHub}`."""
    return _object("WebhookEndpoint", name, spec, labels)


def subscription_text(
    rest: str = "", target: str = "url: 'https://x.example/in'", name: str = "s"
) -> str:
    """Of the endpoint `a` unless `rest` says otherwise; both in flow style."""
    source = "" if "endpoint" in rest or "operational" in rest else "endpointRefs: [{name: a}], "
    more = f", {rest}" if rest else ""
    return _object("WebhookSubscription", name, f"{{{source}target: {{{target}}}{more}}}", "{}")


def secret_text(name: str, kind: str = "Opaque", labels: str = "{}", **values: str) -> str:
    """A Secret; `_` in a key stands for a dash."""
    data = "".join(f"\n  {key.replace('_', '-')}: {value!r}" for key, value in values.items())
    return (
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, labels: {labels}}}\n"
        f"type: {kind}\n"
        f"stringData:{data or ' {}'}\n---\n"
    )


def _object(kind: str, name: str, spec: str, labels: str) -> str:
    return (
        f"apiVersion: hookplane.dev/v1alpha1\nkind: {kind}\n"
        f"metadata: {{name: {name}, labels: {labels}}}\nspec: {spec}\n---\n"
    )


def one_endpoint(compiled: Compiled) -> EndpointConfig:
    """The one that is not built in."""
    (endpoint,) = [x for x in compiled.endpoints if not x.builtin]
    return endpoint


def one_subscription(compiled: Compiled) -> SubscriptionConfig:
    (subscription,) = compiled.subscriptions
    return subscription


def said(compiled: Compiled, *severities: Severity) -> list[str]:
    """`path: message` of the problems, all or of these severities."""
    return [
        f"{x.path}: {x.message}"
        for x in compiled.problems
        if not severities or x.severity in severities
    ]


def cluster(options: Options = LAPTOP) -> Options:
    """Options as `hookplane check` has them."""
    return replace(
        options,
        cluster_services=True,
        gateways=True,
        receiver_tls=True,
        public_url="https://hooks.example.com",
    )
