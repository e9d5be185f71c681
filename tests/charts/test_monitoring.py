"""Alerts and dashboard, as people meet them."""

from __future__ import annotations

from support.kubernetes.monitoring import panels, rules


def test_alerts_say_how_bad_it_is_and_what_to_do() -> None:
    for rule in rules().values():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert {"summary", "description"} == rule["annotations"].keys()


def test_panels_do_not_overlap() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        xs, ys = range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])
        own = {(x, y) for x in xs for y in ys}
        assert not own & cells
        cells |= own
