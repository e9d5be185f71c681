"""What alerts and the dashboard of the chart ask Prometheus for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from support.kubernetes.control_plane import ROOT

FILES: Final = ROOT / "charts" / "hookplane" / "files" / "monitoring"
ALERTS: Final = FILES / "alerts.yaml"


def rules() -> dict[str, dict[str, Any]]:
    """Alert → its rule."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FILES / "dashboard.json").read_text())["panels"]
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules().values())
    yield from (target["expr"] for panel in panels() for target in panel.get("targets", []))


def metrics_asked_for() -> set[str]:
    return {name for x in expressions() for name in re.findall(r"hookplane_\w+", x)}
