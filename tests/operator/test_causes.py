"""What befalls every request is told once a minute."""

from __future__ import annotations

import logging

import pytest

from hookplane_operator.causes import QUIET_SECONDS, OneLinePerCause
from hookplane_operator.kube.errors import ApiError, Forbidden

INVALID = ApiError(401, "Unauthorized", asked="GET /api/v1/namespaces")


class Scene:
    def __init__(self) -> None:
        self.now = 0.0
        self._filter = OneLinePerCause(lambda: self.now)

    def said(self, what: str, error: object) -> str:
        """What becomes of a line; empty: it is left out."""
        record = logging.LogRecord(
            "hookplane.operator", logging.WARNING, "", 0, "%s: %s", (what, error), None
        )
        return record.getMessage() if self._filter.filter(record) else ""


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_cause_is_told_once_whatever_was_asked(scene: Scene) -> None:
    assert scene.said("list", INVALID) == "list: GET /api/v1/namespaces: 401: Unauthorized"
    assert scene.said("watch", ApiError(401, "Unauthorized", asked="GET /apis/x")) == ""
    assert scene.said("status", Forbidden(403, "no")) == "status: 403: no"


def test_after_a_while_it_is_told_again_with_a_count(scene: Scene) -> None:
    scene.said("list", INVALID)
    for _ in range(41):
        scene.said("list", INVALID)
    scene.now = QUIET_SECONDS
    assert scene.said("list", INVALID).endswith("(and 41 times more since the last line of this)")
    scene.now = 2 * QUIET_SECONDS
    assert scene.said("list", INVALID).endswith("Unauthorized")


def test_other_lines_are_left_alone(scene: Scene) -> None:
    assert [scene.said("x", "y"), scene.said("x", "y")] == ["x: y", "x: y"]
