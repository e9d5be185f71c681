"""The chart, rendered by real Helm."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python import Chart, _native

CHART = Path(__file__).parents[2] / "charts" / "hookplane"


@pytest.fixture(scope="session")
def chart() -> Chart:
    return Chart.load(CHART)


@pytest.fixture(scope="session")
def templates(chart: Chart) -> Callable[..., dict[str, str]]:
    """Values → template → text; `apis`: what the cluster has besides Kubernetes' own."""

    def render(values: dict[str, Any], apis: tuple[str, ...] = ()) -> dict[str, str]:
        # Chart.render() cannot say which APIs there are
        options = {"name": "hookplane", "namespace": "hookplane-system", "api_versions": apis}
        rendered = _native.call_string(
            "helm_render", chart._raw(), json.dumps(values), json.dumps(options)
        )
        texts: dict[str, str] = json.loads(rendered)
        return texts

    return render


@pytest.fixture(scope="session")
def render(templates: Callable[..., dict[str, str]]) -> Callable[..., list[dict[str, Any]]]:
    """Values → objects."""

    def objects(values: dict[str, Any], apis: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        texts = [text for name, text in templates(values, apis).items() if name.endswith(".yaml")]
        # libyaml: eight times as fast, and most of the time goes there
        return [x for text in texts for x in yaml.load_all(text, yaml.CSafeLoader) if x]

    return objects
