"""Services as targets: read once in a while, forgotten then, and trouble with one is its own."""

from __future__ import annotations

import pytest

from hookplane_operator.config.services import FRESH_SECONDS, Services, objection
from hookplane_operator.kube.errors import ApiError
from hookplane_operator.kube.kinds import Object
from hookplane_operator.secrets import Name
from support_store import ManualClock

SHOP, OTHER = ("shop", "web"), ("shop", "other")
GOOD: Object = {"spec": {"selector": {"app": "web"}}}


class Cluster:
    """Services that there are, and who was asked for."""

    def __init__(self) -> None:
        self.there: dict[Name, Object] = {SHOP: GOOD}
        self.refused: set[Name] = set()
        self.asked: list[Name] = []

    async def find(self, name: Name) -> Object | None:
        self.asked.append(name)
        if name in self.refused:
            raise ApiError(403, "not allowed")
        return self.there.get(name)


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (GOOD, None),
        (None, 'there is no Service "web"'),
        ({"spec": {"type": "ExternalName", "externalName": "x"}}, "is an ExternalName"),
        ({"spec": {}}, "has no selector"),
        ({"spec": {"selector": {}}}, "has no selector"),
    ],
)
def test_what_can_lead_outside_is_objected_to(service: Object | None, words: str | None) -> None:
    found = objection("web", service)
    assert found is None if words is None else found is not None and words in found


async def test_each_is_read_once_and_again_when_it_is_old() -> None:
    cluster, clock = Cluster(), ManualClock()
    services = Services(cluster.find, clock)
    assert await services.objections([SHOP, SHOP]) == {SHOP: None}
    del cluster.there[SHOP]
    assert await services.objections([SHOP]) == {SHOP: None}
    assert cluster.asked == [SHOP]
    clock.advance(int(FRESH_SECONDS * 1000) + 1)
    assert "there is no Service" in str((await services.objections([SHOP]))[SHOP])


async def test_what_nobody_asks_for_is_forgotten() -> None:
    cluster, clock = Cluster(), ManualClock()
    services = Services(cluster.find, clock)
    await services.objections(("shop", f"n{number}") for number in range(1000))
    assert services.size == 1000
    clock.advance(int(FRESH_SECONDS * 1000) + 1)
    await services.objections([SHOP])
    assert services.size == 1


async def test_one_that_cannot_be_read_is_not_remembered_and_spoils_no_other() -> None:
    cluster = Cluster()
    cluster.refused = {OTHER}
    services = Services(cluster.find, ManualClock())
    found = await services.objections([SHOP, OTHER])
    assert found[SHOP] is None
    assert isinstance(found[OTHER], ApiError)
    cluster.refused, cluster.there[OTHER] = set(), GOOD
    assert await services.objections([OTHER]) == {OTHER: None}
