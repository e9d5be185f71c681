"""Generated Secrets: whose they are, when they are written, and what stays in them."""

from __future__ import annotations

import base64
from typing import Any, cast

import pytest

from hookplane.clock import Millis
from hookplane.compile.model import WantedSecret
from hookplane.compile.rotation import DEFAULT_OVERLAP
from hookplane.secret import Secret
from hookplane.signatures.signing import GeneratedKind
from hookplane.units import format_time
from hookplane_operator.config.generated import GeneratedSecrets, Wish
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError, Conflict
from hookplane_operator.kube.kinds import SECRET, Object, Resource
from hookplane_operator.referred.polling_cache import Name
from hookplane_operator.referred.secrets import FoundSecret, found_of, secrets_in_use
from support.clocks.manual import ManualClock

NAME = ("shop", "to-shop-signing")
HOUR: Millis = 3_600_000


class Cluster:
    """One Secret, which may be there, and what is done with it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.alive = {"uid-1"}
        self.body: Object | None = None
        self.calls: list[str] = []
        self.sent: Object = {}
        self.conflict = False
        self.secrets = secrets_in_use(self._find, self.clock, lambda _: None)
        self.generated = GeneratedSecrets(
            cast(Kube, self), self.secrets, self.clock, self.alive.__contains__
        )

    async def create(self, resource: Resource, body: Object) -> Object:
        if self.conflict:
            raise Conflict(409, "it exists")
        return self._write("create", resource, body)

    async def merge(self, resource: Resource, body: Object) -> Object:
        assert body["metadata"]["uid"] == "uid-secret"
        return self._write("merge", resource, body)

    def _write(self, call: str, resource: Resource, body: Object) -> Object:
        assert resource is SECRET
        self.calls.append(call)
        self.sent = body
        kept = {name: text for name, text in body["data"].items() if text is not None}
        self.body = body | {"data": kept, "metadata": body["metadata"] | {"uid": "uid-secret"}}
        return self.body

    async def _find(self, _name: Name) -> Object | None:
        return self.body

    @property
    def found(self) -> FoundSecret | None:
        return None if self.body is None else found_of(self.body)

    async def ensure(
        self, owner: str = "uid-1", rotate: str = "", every: Millis = 0, overlap: Millis = 0
    ) -> Result:
        want = WantedSecret(*NAME, GeneratedKind.WHSEC, owner, every, overlap)
        self.calls.clear()
        secret, due = await self.generated.ensure(Wish(want, rotate), self.found)
        return Result(secret.generated, dict(secret.data), due)

    def notes(self) -> dict[str, str]:
        assert self.body is not None
        return cast(dict[str, str], self.body["metadata"]["annotations"])


class Result:
    """The Secret as it is now, and when it changes next."""

    def __init__(self, generated: bool, data: dict[str, Secret], due: Millis | None) -> None:
        self.generated, self.data, self.due = generated, data, due

    @property
    def key(self) -> Secret:
        return self.data["key"]

    @property
    def previous(self) -> Secret | None:
        return self.data.get("previous")


async def test_one_that_is_missing_is_made_and_then_left_alone() -> None:
    cluster = Cluster()
    made = await cluster.ensure()
    assert (cluster.calls, made.generated, made.due) == (["create"], True, None)
    assert "hookplane.dev/rotated" not in cluster.notes()
    assert (await cluster.secrets.read([NAME]))[NAME] == cluster.found
    cluster.clock.advance(1000 * HOUR)
    again = await cluster.ensure()
    assert (cluster.calls, again.data) == ([], made.data)


@pytest.mark.parametrize("owner", ["", "uid-2"])
async def test_one_that_is_not_ours_is_not_touched(owner: str) -> None:
    """That of somebody else, and that of another object that there is."""
    cluster = Cluster()
    cluster.alive.add("uid-2")
    labels = {"hookplane.dev/generated-for": owner} if owner else {}
    metadata: dict[str, Any] = {"namespace": NAME[0], "name": NAME[1], "labels": labels}
    cluster.body = {"metadata": metadata, "data": {"key": base64.b64encode(b"theirs").decode()}}
    found = await cluster.ensure()
    assert (cluster.calls, found.generated, found.due) == ([], False, None)
    assert found.key.reveal() == b"theirs"


async def test_an_object_that_is_made_again_keeps_the_key_of_its_predecessor() -> None:
    cluster = Cluster()
    made = await cluster.ensure()
    cluster.alive = {"uid-9"}
    cluster.generated = GeneratedSecrets(
        cast(Kube, cluster), cluster.secrets, cluster.clock, cluster.alive.__contains__
    )
    adopted = await cluster.ensure("uid-9")
    assert (cluster.calls, adopted.data) == (["merge"], made.data)
    assert cluster.sent["metadata"]["labels"]["hookplane.dev/generated-for"] == "uid-9"
    await cluster.ensure("uid-9")
    assert cluster.calls == []


async def test_a_schedule_replaces_the_key_and_forgets_the_one_before_after_its_overlap() -> None:
    cluster = Cluster()
    every = 100 * HOUR
    first = await cluster.ensure(every=every, overlap=HOUR)
    begun = cluster.clock.now()
    assert first.due == begun + 100 * HOUR
    cluster.clock.advance(100 * HOUR - 1)
    assert (await cluster.ensure(every=every, overlap=HOUR)).key == first.key
    cluster.clock.advance(1)
    second = await cluster.ensure(every=every, overlap=HOUR)
    assert (second.previous, second.key == first.key) == (first.key, False)
    assert second.due == begun + 101 * HOUR
    assert cluster.notes()["hookplane.dev/previous-until"] == format_time(begun + 101 * HOUR)
    cluster.clock.advance(HOUR)
    third = await cluster.ensure(every=every, overlap=HOUR)
    assert (third.key, third.previous, third.due) == (second.key, None, begun + 200 * HOUR)
    assert cluster.sent["data"]["previous"] is None
    assert "hookplane.dev/previous-until" not in cluster.notes()


async def test_a_new_key_that_is_asked_for_comes_once_and_overlaps_for_a_day() -> None:
    cluster = Cluster()
    first = await cluster.ensure()
    asked_at = cluster.clock.now()
    second = await cluster.ensure(rotate="1")
    assert (second.previous, second.key == first.key) == (first.key, False)
    assert second.due == asked_at + DEFAULT_OVERLAP
    cluster.clock.advance(HOUR)
    again = await cluster.ensure(rotate="1")
    assert (cluster.calls, again.data) == ([], second.data)
    third = await cluster.ensure(rotate="2", overlap=HOUR)
    assert third.previous == second.key
    assert third.due == cluster.clock.now() + HOUR


async def test_a_new_object_whose_annotation_is_there_already_rotates_nothing() -> None:
    cluster = Cluster()
    made = await cluster.ensure(rotate="1")
    assert made.previous is None
    assert (await cluster.ensure(rotate="1")).data == made.data


@pytest.mark.parametrize("lost", ["key", "kind", "times"])
async def test_one_that_was_damaged_is_made_whole(lost: str) -> None:
    cluster = Cluster()
    made = await cluster.ensure(rotate="1")
    assert cluster.body is not None
    if lost == "key":
        cluster.body["data"] = {}
    elif lost == "kind":
        cluster.notes()["hookplane.dev/key-kind"] = "what?"
    else:
        cluster.notes()["hookplane.dev/key-since"] = "what?"
    whole = await cluster.ensure(rotate="1")
    assert whole.key
    assert (whole.key == made.key) is (lost == "times")
    assert cluster.calls == ([] if lost == "times" else ["merge"])


async def test_one_that_somebody_made_a_moment_ago_is_an_error_and_is_not_overwritten() -> None:
    cluster = Cluster()
    cluster.conflict = True
    with pytest.raises(ApiError, match="was just created"):
        await cluster.ensure()
    assert cluster.calls == []
