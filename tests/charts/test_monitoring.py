"""Alerts and dashboard ask for metrics that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry

from hookplane_dispatcher.meters import Meters
from hookplane_operator.metrics import Metrics as OperatorMetrics
from hookplane_receiver.metrics import ReceiverMetrics

FILES = Path(__file__).parents[2] / "charts" / "hookplane" / "files" / "monitoring"
_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def _metrics() -> set[str]:
    """Names as Prometheus sees them."""
    registry = CollectorRegistry()
    Meters(registry)
    OperatorMetrics(registry)
    ReceiverMetrics(registry)
    return {x.name + suffix for x in registry.collect() for suffix in _SUFFIXES.get(x.type, ())}


def _alerts() -> Iterator[str]:
    for group in yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


def _panels() -> Iterator[str]:
    for panel in json.loads((FILES / "dashboard.json").read_text())["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]


def test_the_metrics_exist() -> None:
    used = {name for x in (*_alerts(), *_panels()) for name in re.findall(r"hookplane_\w+", x)}
    assert used - _metrics() == set()


def test_alerts_say_how_bad_it_is_and_what_to_do() -> None:
    for group in yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert {"summary", "description"} == rule["annotations"].keys()


def test_panels_do_not_overlap() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in json.loads((FILES / "dashboard.json").read_text())["panels"]:
        at = panel["gridPos"]
        xs, ys = range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])
        own = {(x, y) for x in xs for y in ys}
        assert not own & cells
        cells |= own
