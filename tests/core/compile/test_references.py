"""Label selectors, as Kubernetes defines them."""

from __future__ import annotations

from typing import Any

import pytest

from hookplane.compile.references import selects
from hookplane.kinds.base import LabelSelector

LABELS = {"app": "shop", "tier": "front"}


def expression(operator: str, *values: str, key: str = "app") -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ({}, True),  # an empty selector selects everything
        ({"matchLabels": {"app": "shop"}}, True),
        ({"matchLabels": {"app": "shop", "tier": "back"}}, False),
        ({"matchLabels": {"other": "shop"}}, False),
        (expression("In", "blog", "shop"), True),
        (expression("In", "blog"), False),
        (expression("In", "shop", key="other"), False),
        (expression("NotIn", "blog"), True),
        (expression("NotIn", "shop"), False),
        (expression("NotIn", "shop", key="other"), True),  # a missing label is not in any list
        (expression("Exists"), True),
        (expression("Exists", key="other"), False),
        (expression("DoesNotExist"), False),
        (expression("DoesNotExist", key="other"), True),
        ({"matchLabels": {"tier": "front"}} | expression("Exists"), True),  # both must hold
        ({"matchLabels": {"tier": "back"}} | expression("Exists"), False),
        ({"matchLabels": {"tier": "front"}} | expression("DoesNotExist"), False),
    ],
)
def test_selectors(selector: dict[str, Any], matches: bool) -> None:
    assert selects(LabelSelector.model_validate(selector), LABELS) is matches
