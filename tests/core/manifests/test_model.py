"""Which line of which file a problem names."""

from __future__ import annotations

import pytest

from hookplane.compile.model import Problem
from hookplane.manifests.model import Finding, Origin

LINES = {"": 1, "spec": 3, "spec.keys": 4, "spec.keys[0]": 5, "spec.keys[10]": 7}


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("spec.keys[0]", 5),
        ("spec.keys[0].name", 5),
        ("spec.keys[1]", 4),
        ("spec.keys[10].name.first", 7),
        ("spec.other[3].name", 3),
        ("status", 1),
        ("", 1),
    ],
)
def test_a_field_that_is_not_there_has_the_line_of_what_is_around_it(path: str, line: int) -> None:
    assert Origin("a.yaml", LINES).line(path) == line


@pytest.mark.parametrize("path", ["", "spec", "spec.keys[0].name"])
def test_a_format_without_lines_names_none(path: str) -> None:
    assert Origin("a.json").line(path) == 0


def test_a_problem_is_one_line_whatever_the_manifest_has() -> None:
    problem = Problem("WebhookEndpoint", "shop", "orders", "spec.x", 'no "a\r\nb\x1b[2K"')
    assert str(Finding(problem, "a.yaml", 3)) == (
        'a.yaml:3: WebhookEndpoint shop/orders: spec.x: no "a��b�[2K"'
    )
