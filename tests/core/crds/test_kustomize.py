"""kustomize follows every reference of our kinds, by the configuration in docs/kustomize."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import yaml

from support.kubernetes.control_plane import ROOT
from support.kubernetes.kubectl import kubectl_binary

FOLDER = ROOT / "docs" / "kustomize"
CONFIGURATION = FOLDER / "base" / "hookplane.yaml"
OTHERS = {
    "certificateRef": "Secret",
    "clientCertificateRef": "Secret",
    "endpointRefs": "WebhookEndpoint",
    "gatewayRef": "WebhookGateway",
    "parentRefs": "Gateway",
    "secretKeyRef": "Secret",
    "serviceRef": "Service",
    "subscriptionRef": "WebhookSubscription",
    "tlsSecretName": "Secret",
}
"""Fields that name another object, and of which kind that is."""


def references() -> Iterator[tuple[str, str, str]]:
    """Kind that is named, kind that names it, path."""
    for file in (ROOT / "crds").glob("*.yaml"):
        crd = yaml.safe_load(file.read_text())
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        for path in paths(schema, ["spec"]):
            about = path[-2] if path[-1] == "name" else path[-1]
            if about.endswith(("Ref", "Refs", "SecretName")):
                yield OTHERS[about], crd["spec"]["names"]["kind"], "/".join(path)


def paths(node: dict[str, Any], so_far: list[str]) -> Iterator[list[str]]:
    """Of all fields that hold no others."""
    if "properties" not in node:
        if "items" in node:
            yield from paths(node["items"], so_far)
        else:
            yield so_far
    for name, part in node.get("properties", {}).items():
        yield from paths(part, [*so_far, name])


def test_every_reference_is_followed() -> None:
    listed = {
        (target["kind"], field["kind"], field["path"])
        for target in yaml.safe_load(CONFIGURATION.read_text())["nameReference"]
        for field in target["fieldSpecs"]
    }
    assert listed == set(references())


def test_an_overlay_changes_names_wherever_they_stand() -> None:
    overlay = FOLDER / "overlays" / "production"
    command = [kubectl_binary(), "kustomize", str(overlay)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    made = {x["kind"]: x for x in yaml.safe_load_all(text)}
    secret, subscription = made["Secret"], made["WebhookSubscription"]
    assert secret["metadata"]["name"].startswith("production-shop-signing-")
    [endpoint] = subscription["spec"]["endpointRefs"]
    assert endpoint["name"] == made["WebhookEndpoint"]["metadata"]["name"] == "production-orders"
    [key] = subscription["spec"]["signing"]["keys"]
    assert key["secretKeyRef"]["name"] == secret["metadata"]["name"]
    assert subscription["spec"]["target"]["url"] == "https://shop.example.com/production/hooks"
    assert {x["metadata"]["namespace"] for x in made.values()} == {"shop"}
