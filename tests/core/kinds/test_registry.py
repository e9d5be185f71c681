"""The table of kinds."""

from __future__ import annotations

import pytest

from hookplane.kinds.registry import KIND_BY_NAME, KINDS, Kind


def test_names_are_unique() -> None:
    for field in ("kind", "singular", "plural", "short_name"):
        assert len({getattr(kind, field) for kind in KINDS}) == len(KINDS)


def test_kinds_are_found_by_name() -> None:
    assert [KIND_BY_NAME[kind.kind] for kind in KINDS] == list(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_the_model_of_a_manifest_holds_the_spec(kind: Kind) -> None:
    assert kind.model.__name__ == kind.kind
    assert kind.model.model_fields["spec"].annotation is kind.spec
    assert kind.description
