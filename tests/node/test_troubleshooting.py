"""What docs/troubleshooting.md quotes is what `kubectl` prints."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.clocks.blocking import until
from support.kubernetes.control_plane import ROOT
from support.kubernetes.manifests import Object, endpoint, made, subscription
from support.node.release import PATIENCE, Release
from support.node.tenant import Tenant, tenant

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
KEYS = {"keys": [{"secretKeyRef": {"name": "github", "key": "token"}}]}
ELSEWHERE = {"name": "other", "namespace": "hookplane-system"}
REFS = [{"name": "orders"}]
SHOP = {"serviceRef": {"name": "shop", "port": 80}}

SYMPTOMS: dict[str, tuple[Object, str, str]] = {
    "a Secret is missing": (
        endpoint("github", provider="GitHub", verification=KEYS),
        "SecretNotFound",
        'spec.verification.keys[0]: there is no Secret "github"; it is to have the key "token"',
    ),
    "no such provider": (
        endpoint("gitlub", provider="Gitlub"),
        "UnknownProvider",
        '"Gitlub" is not a provider; known are: ',
    ),
    "no such gateway": (
        endpoint("elsewhere", gatewayRef=ELSEWHERE),
        "GatewayNotFound",
        'there is no WebhookGateway "other" in namespace "hookplane-system"',
    ),
    "no such endpoint": (
        subscription("typo", ["order"], "https://shop.example.com/x"),
        "EndpointNotFound",
        'spec.endpointRefs[0].name: there is no WebhookEndpoint "order" in this namespace',
    ),
    "a private target": (
        subscription("private", ["orders"], "http://192.168.7.7/x"),
        "NotAllowed",
        "spec.target.url: 192.168.7.7 is not a public address, and its range is not allowed",
    ),
    "no such Service": (
        made("WebhookSubscription", "service", {"endpointRefs": REFS, "target": SHOP}),
        "NotAllowed",
        'spec.target.serviceRef: there is no Service "shop" in this namespace',
    ),
}


@pytest.fixture(scope="module")
def team(release: Release) -> Iterator[Tenant]:
    with tenant(release.cluster, "docs") as found:
        found.kubectl.apply(endpoint("orders"))
        found.await_ready("whe", "orders")
        yield found


@pytest.mark.parametrize("symptom", SYMPTOMS)
def test_a_reason_and_its_sentence(team: Tenant, symptom: str) -> None:
    body, reason, sentence = SYMPTOMS[symptom]
    assert f"`{reason}`" in PAGE
    assert sentence.removesuffix(" ") in PAGE
    team.kubectl.apply(body)
    kind, name = body["kind"], body["metadata"]["name"]

    def shown() -> str:
        return team.kubectl.run("get", kind, name, "-o", "wide", "--no-headers")

    line = until(lambda: text if "False" in (text := shown()) else "", "a verdict", PATIENCE)
    assert reason in line
    assert sentence in line


def test_a_field_that_does_not_exist(team: Tenant) -> None:
    refused = team.kubectl.refused(endpoint("bad", providr="GitHub"))
    sentence = 'strict decoding error: unknown field "spec.providr"'
    assert sentence in refused
    assert sentence in PAGE


def test_where_to_see_who_leads(release: Release) -> None:
    command = "get lease hookplane-operator"
    assert command in PAGE
    assert "hookplane-operator" in release.kubectl.run(*command.split())
