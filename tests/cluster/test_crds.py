"""Our CRDs at a real API server: taken without a warning, every rule in force, examples as they
stand."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from hookplane.crds.definition import root_schema
from hookplane.kinds.base import NAME_RULE
from hookplane.kinds.registry import KINDS
from support.kubernetes.control_plane import CRDS, ROOT, namespace, shared_control_plane
from support.kubernetes.crds import Object, walk
from support.kubernetes.kubectl import Kubectl
from support.kubernetes.rules import OUT_OF_SCHEMA, ROWS, UPDATES, endpoint


@pytest.fixture
def kubectl() -> Iterator[Kubectl]:
    yield from namespace(shared_control_plane())


def listed(documents: Sequence[Object]) -> str:
    """A List in which the n-th object is called `x<n>`."""
    items = []
    for number, document in enumerate(documents):
        item = copy.deepcopy(document)
        item["metadata"]["name"] = f"x{number}"
        items.append(item)
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def refusals(kubectl: Kubectl, verb: str, documents: Sequence[Object]) -> dict[str, str]:
    """Name → the words of the API server about it."""
    done = kubectl.attempt(verb, "--dry-run=server", "-f", "-", given=listed(documents))
    found = {}
    for line in done.stderr.splitlines():
        for number in range(len(documents)):
            if f'"x{number}"' in line or f"x{number}:" in line:
                found[f"x{number}"] = line
    return found


def test_crds_are_taken_without_a_warning(kubectl: Kubectl) -> None:
    kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
    assert kubectl.warnings == []
    for kind in KINDS:
        found = kubectl.get("crd", kind.crd_name)
        conditions = {x["type"]: x["status"] for x in found["status"]["conditions"]}
        assert conditions["Established"] == "True"
        assert conditions.get("NonStructuralSchema", "False") == "False"


@pytest.mark.parametrize("file", sorted((ROOT / "examples").rglob("*.yaml")), ids=lambda x: x.name)
def test_examples_are_taken(kubectl: Kubectl, file: Path) -> None:
    objects = [x for x in yaml.safe_load_all(file.read_text()) if x]
    for one in objects:
        one["metadata"].pop("namespace", None)
    kubectl.apply(*objects)
    assert kubectl.warnings == []


def test_rules_that_are_kept(kubectl: Kubectl) -> None:
    kubectl.run("create", "--dry-run=server", "-f", "-", given=listed([row[1] for row in ROWS]))
    assert kubectl.warnings == []


def test_rules_that_are_broken(kubectl: Kubectl) -> None:
    said = refusals(kubectl, "create", [row[2] for row in ROWS])
    for number, (message, _, broken) in enumerate(ROWS):
        assert message in said.get(f"x{number}", "accepted"), broken


def test_objects_out_of_schema(kubectl: Kubectl) -> None:
    for broken in OUT_OF_SCHEMA:
        assert kubectl.refused(broken)


def test_updates(kubectl: Kubectl) -> None:
    for number, (message, before, allowed, refused) in enumerate(UPDATES):
        kubectl.run("create", "-f", "-", given=listed([before]))
        kubectl.run("apply", "--dry-run=server", "-f", "-", given=listed([allowed]))
        done = kubectl.attempt("replace", "--dry-run=server", "-f", "-", given=listed([refused]))
        assert message in done.stderr, number
        kubectl.run("delete", "-f", "-", given=listed([before]))


@pytest.mark.parametrize("name", ["a" * 53, "a.b"])
def test_names(kubectl: Kubectl, name: str) -> None:
    document: dict[str, Any] = endpoint() | {"metadata": {"name": name}}
    assert NAME_RULE.message in kubectl.refused(document)


@pytest.mark.parametrize("kind", KINDS, ids=lambda x: x.short_name)
def test_every_field_is_explained(kubectl: Kubectl, kind: Any) -> None:
    shown = kubectl.run("explain", kind.plural, "--recursive")
    for path, _ in walk(root_schema(kind)):
        name = path.rpartition(".")[2].rstrip("[]{}")
        assert not name or f"{name}\t" in shown, path
    deepest = kubectl.run("explain", f"{kind.plural}.status.conditions.reason")
    assert "CamelCase" in deepest


def test_short_names_and_category(kubectl: Kubectl) -> None:
    kubectl.apply(endpoint())
    assert "x" in kubectl.run("get", "whe")
    assert "webhookendpoint.hookplane.dev/x" in kubectl.run("get", "webhooks", "-o", "name")
    header = kubectl.run("get", "whe", "-o", "wide").splitlines()[0]
    assert header.split()[:3] == ["NAME", "READY", "STATE"]
    selected = kubectl.run("get", "whe", "--field-selector", "spec.provider=StandardWebhooks")
    assert "x" in selected
