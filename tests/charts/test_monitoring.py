"""Alerts and dashboard, as people meet them."""

from __future__ import annotations

import re

from support.kubernetes.control_plane import ROOT
from support.kubernetes.monitoring import panels, rules

RUNBOOKS = "https://github.com/hookplane/hookplane/blob/main/docs/alerts.md"


def test_alerts_say_how_bad_it_is_and_what_to_do() -> None:
    for rule in rules().values():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert {"summary", "description", "runbook_url"} == rule["annotations"].keys()


def test_every_alert_leads_to_its_section_and_every_section_is_of_an_alert() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text()
    sections = re.findall(r"^### (\w+)$", page, re.MULTILINE)
    assert sorted(sections) == sorted(rules())
    for alert, rule in rules().items():
        assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS}#{alert.lower()}"


def test_panels_do_not_overlap() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        xs, ys = range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])
        own = {(x, y) for x in xs for y in ys}
        assert not own & cells
        cells |= own
