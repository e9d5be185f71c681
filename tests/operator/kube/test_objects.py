"""What was seen: lists say what there is, and versions order only what comes after them."""

from __future__ import annotations

from typing import Any

from hookplane.compile.model import ObjectKey
from hookplane_operator.kube.objects import ObjectChange, Objects

KEY = ObjectKey("WebhookEndpoint", "a", "x")


def body(version: int, generation: int = 1, uid: str = "u", **status: Any) -> dict[str, Any]:
    metadata = {
        "namespace": "a",
        "name": "x",
        "uid": uid,
        "resourceVersion": str(version),
        "generation": generation,
    }
    return {"metadata": metadata, "status": status}


def test_changes_are_told_apart() -> None:
    objects = Objects()
    assert objects.put(KEY.kind, body(1)) is ObjectChange.MEANT
    assert objects.put(KEY.kind, body(1)) is ObjectChange.NOTHING
    assert objects.put(KEY.kind, body(2, state="Idle")) is ObjectChange.STATUS
    assert objects.put(KEY.kind, body(3, generation=2)) is ObjectChange.MEANT
    assert objects.remove(KEY.kind, body(4)) is ObjectChange.GONE
    assert objects.get(KEY) is None


def test_a_watch_takes_nothing_back_that_a_write_was_answered_with() -> None:
    objects = Objects()
    objects.put(KEY.kind, body(3))
    assert objects.answered(KEY.kind, body(5, generation=2)) is ObjectChange.MEANT
    assert objects.follow(KEY.kind, body(4)) is ObjectChange.NOTHING
    assert objects.get(KEY) == body(5, generation=2)
    assert objects.follow(KEY.kind, body(6, generation=3)) is ObjectChange.MEANT


def test_what_a_list_says_is_so_whatever_version_it_has() -> None:
    objects = Objects()
    objects.put(KEY.kind, body(9, generation=2))
    assert objects.put(KEY.kind, body(4)) is ObjectChange.MEANT
    assert objects.get(KEY) == body(4)
    assert objects.follow(KEY.kind, body(5, generation=2)) is ObjectChange.MEANT


def test_what_was_deleted_may_be_back_with_its_uid() -> None:
    objects = Objects()
    objects.put(KEY.kind, body(1))
    objects.remove(KEY.kind, body(9))
    assert objects.put(KEY.kind, body(1)) is ObjectChange.MEANT
    assert objects.get(KEY) == body(1)


def test_the_same_version_and_generation_may_be_another_spec_after_a_restore() -> None:
    objects = Objects()
    objects.put(KEY.kind, body(5) | {"spec": {"suspend": True}})
    assert objects.put(KEY.kind, body(5) | {"spec": {}}) is ObjectChange.MEANT


def test_an_answer_that_comes_late_revives_nothing() -> None:
    objects = Objects()
    objects.put(KEY.kind, body(1))
    objects.remove(KEY.kind, body(2))
    assert objects.answered(KEY.kind, body(3)) is ObjectChange.NOTHING
    assert objects.get(KEY) is None


def test_a_successor_is_followed_whatever_its_version() -> None:
    objects = Objects()
    objects.put(KEY.kind, body(5, uid="old"))
    assert objects.follow(KEY.kind, body(4, uid="new")) is ObjectChange.MEANT


def test_the_deletion_of_a_predecessor_is_not_that_of_its_successor() -> None:
    objects = Objects()
    objects.put(KEY.kind, body(5, uid="new"))
    assert objects.remove(KEY.kind, body(4, uid="old")) is ObjectChange.NOTHING
    assert objects.get(KEY) is not None


def test_a_uid_is_there_as_long_as_its_object() -> None:
    objects = Objects()
    objects.put(KEY.kind, body(1, uid="u"))
    assert objects.has("u")
    objects.put(KEY.kind, body(2, uid="v"))
    assert (objects.has("u"), objects.has("v")) == (False, True)
    objects.remove(KEY.kind, body(3, uid="v"))
    assert not objects.has("v")


def test_what_nobody_reads_is_not_kept() -> None:
    objects, seen = Objects(), body(1)
    copy = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "hookplane.dev/rotate": "1"}
    seen["metadata"] |= {"managedFields": [{"manager": "kubectl"}], "annotations": copy}
    objects.put(KEY.kind, seen)
    found = objects.get(KEY)
    assert found is not None
    assert found["metadata"].keys() == {*body(1)["metadata"], "annotations"}
    assert found["metadata"]["annotations"] == {"hookplane.dev/rotate": "1"}
