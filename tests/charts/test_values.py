"""The schema of the values, and what is written from other files."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python import Chart, HelmValuesError

Object = dict[str, Any]

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "charts" / "hookplane"
FREE = {"defaultGateway.spec", "postgresql.bundled.resources", "operator.resources"}
"""Values whose keys are Kubernetes' or the kinds'."""


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"operatr": {}}, "operatr"),
        ({"image": {"tagg": "1"}}, "tagg"),
        ({"operator": {"resources": {"limit": {}}}}, "limit"),
        ({"operator": {"tolerations": [{"kee": "a"}]}}, "kee"),
        ({"dataPlane": {"nodeSelectors": {}}}, "nodeSelectors"),
        ({"postgresql": {"bundled": {"storage": {"sise": "1Gi"}}}}, "sise"),
        ({"monitoring": {"podMonitor": {"enable": True}}}, "enable"),
        ({"admissionPolicies": {"namespaceSelector": {"matchLabel": {}}}}, "matchLabel"),
        ({"defaultGateway": {"spec": {"reciever": {}}}}, "reciever"),
        ({"defaultGateway": {"spec": {"receiver": {"service": {"typ": "a"}}}}}, "typ"),
        ({"dataPlane": {"podSecurityContext": {"runAsUsr": 1}}}, "runAsUsr"),
        ({"caBundle": {"configMap": "a"}}, "configMap"),
        ({"defaultGateway": {"spec": {"receiver": {"tls": {"certRef": {}}}}}}, "certRef"),
        ({"defaultGateway": {"spec": {"store": {"postgresql": {}}}}}, "postgresql"),
    ],
)
def test_typos_are_refused(chart: Chart, values: Object, key: str) -> None:
    with pytest.raises(HelmValuesError, match=f"'{key}' not allowed"):
        chart.validate_schema(chart.merge_values(values))


@pytest.mark.parametrize(
    "values",
    [
        {"operator": {"replicas": "2"}},
        {"image": {"digest": "sha256:short"}},
        {"image": {"pullPolicy": "Sometimes"}},
        {"admissionPolicies": {"allowedHosts": ["https://example.com"]}},
        {"admissionPolicies": {"allowedHosts": ["it's.example.com"]}},
        {"watchNamespaces": "chatbot"},
        {"defaultGateway": {"spec": {"receiver": {"replicas": -1}}}},
        {"postgresql": {"bundled": {"parameters": {"bad name": 1}}}},
        {"postgresql": {"bundled": {"runAsUser": 0}}},
        {"dataPlane": {"podSecurityContext": {"runAsUser": 0}}},
        {"operator": {"containerSecurityContext": {"allowPrivilegeEscalation": True}}},
        {"dataPlane": {"extraEnv": [{"value": "without a name"}]}},
    ],
)
def test_wrong_values_are_refused(chart: Chart, values: Object) -> None:
    with pytest.raises(HelmValuesError):
        chart.validate_schema(chart.merge_values(values))


@pytest.mark.parametrize("values", [{}, {"global": {"anything": 1}}])
def test_what_is_right_is_taken(chart: Chart, values: Object) -> None:
    chart.validate_schema(chart.merge_values(values))


def test_values_and_schema_know_the_same_keys() -> None:
    schema = json.loads((FOLDER / "values.schema.json").read_text())
    values = yaml.safe_load((FOLDER / "values.yaml").read_text())
    del schema["properties"]["global"]
    assert sorted(_keys_of_schema(schema)) == sorted(_keys_of_values(values))


def test_every_object_of_the_schema_is_closed() -> None:
    schema = json.loads((FOLDER / "values.schema.json").read_text())
    for node in _nodes(schema):
        if "properties" in node:
            assert node["additionalProperties"] is False


def test_every_value_is_explained() -> None:
    readme = (FOLDER / "README.md").read_text()
    values = yaml.safe_load((FOLDER / "values.yaml").read_text())
    assert [key for key in _keys_of_values(values) if f"| `{key}` |" not in readme] == []


def test_values_that_the_docs_switch_on_are_there() -> None:
    values = yaml.safe_load((FOLDER / "values.yaml").read_text())
    text = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    named = set(re.findall(r"`(\w+(?:\.\w+)*\.enabled)\b", text))
    assert named - set(_keys_of_values(values)) == set()


def test_what_is_generated_is_current() -> None:
    """`python charts/generate.py` writes it anew."""
    generated = runpy.run_path(str(ROOT / "charts" / "generate.py"))["generated"]()
    drifted = [path for path, text in generated.items() if path.read_text("utf-8") != text]
    assert drifted == []


def test_the_chart_carries_every_crd_as_it_is() -> None:
    ours = {path.name: path.read_text() for path in (ROOT / "crds").glob("*.yaml")}
    carried = {path.name: path.read_text() for path in (FOLDER / "files" / "crds").iterdir()}
    assert carried == ours


def _keys_of_values(node: Object, path: str = "") -> Iterator[str]:
    for name, value in node.items():
        key = f"{path}{name}"
        if isinstance(value, dict) and value and key not in FREE and not key.endswith("labels"):
            yield from _keys_of_values(value, f"{key}.")
        else:
            yield key


def _keys_of_schema(node: Object, path: str = "") -> Iterator[str]:
    for name, part in node["properties"].items():
        key = f"{path}{name}"
        if "properties" in part:
            yield from _keys_of_schema(part, f"{key}.")
        else:
            yield key


def _nodes(node: Any) -> Iterator[Object]:
    if isinstance(node, dict):
        yield node
        for part in node.values():
            yield from _nodes(part)
