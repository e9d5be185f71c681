"""What became of an object on its way into the store."""

from __future__ import annotations

from dataclasses import dataclass

from hookplane.compile.model import ObjectKey, Problem, Resource
from hookplane_operator.state.facts import Blocker


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """One object, one generation."""

    key: ObjectKey
    uid: str
    generation: int
    problems: tuple[Problem, ...] = ()
    resource: Resource | None = None
    """None: it could not be read."""
    unknown: Blocker | None = None
    """What keeps it from being judged, such as a Secret that cannot be read now."""
