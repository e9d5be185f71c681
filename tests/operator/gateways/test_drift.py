"""Drift: what others add is none, what they change or we want no more is."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hookplane_operator.gateways.drift import APPLIED, has_drifted, stamped

WANTED: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "a", "labels": {"x": "y"}},
    "spec": {
        "replicas": 1,
        "template": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "0.5"}}}]},
        "strategy": {},
    },
}


def live() -> dict[str, Any]:
    """As an API server gives it back, with defaults and in its own writing."""
    found = copy.deepcopy(stamped(WANTED))
    found["metadata"]["uid"] = "u"
    found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "1"
    container = found["spec"]["template"]["containers"][0]
    container["resources"]["requests"]["cpu"] = "500m"
    container["terminationMessagePath"] = "/dev/termination-log"
    del found["spec"]["strategy"]
    return found


def test_defaults_and_other_writings_are_no_drift() -> None:
    assert not has_drifted(stamped(WANTED), live())


def test_an_object_that_is_not_there_has_drifted() -> None:
    assert has_drifted(stamped(WANTED), None)


@pytest.mark.parametrize(
    ("wanted", "live", "same"),
    [
        ("1Ti", "1024Gi", True),
        ("1e3", "1k", True),
        ("0.5E", "500P", True),
        ("1E", "1E3", False),
        ("2Pi", "2P", False),
    ],
)
def test_quantities_are_compared_by_what_they_mean(wanted: str, live: str, same: bool) -> None:
    def holding(quantity: str) -> dict[str, Any]:
        return {"metadata": {"name": "a"}, "spec": {"limits": {"memory": quantity}}}

    assert has_drifted(holding(wanted), holding(live)) is not same


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "replicas"), 2),
        (("metadata", "labels", "x"), "z"),
        (("spec", "template", "containers"), []),
        (("metadata", "annotations", APPLIED), "0"),
    ],
)
def test_what_somebody_changed_is_drift(path: tuple[str, ...], value: Any) -> None:
    found = live()
    place = found
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert has_drifted(stamped(WANTED), found)


def test_a_field_that_is_wanted_no_more_is_drift() -> None:
    less = copy.deepcopy(WANTED)
    del less["spec"]["replicas"]
    assert has_drifted(stamped(less), live())
