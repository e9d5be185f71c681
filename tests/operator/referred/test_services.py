"""Services as targets: read in turns, and trouble with one is its own."""

from __future__ import annotations

import pytest

from hookplane_operator.kube.errors import ApiError
from hookplane_operator.kube.kinds import Object
from hookplane_operator.referred.polling_cache import Name
from hookplane_operator.referred.services import (
    FIT,
    REFUSED,
    ServiceTarget,
    objection,
    services_in_use,
    target_of,
)
from support.clocks.manual import ManualClock

SHOP, OTHER = ("shop", "web"), ("shop", "other")
GOOD: Object = {"spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.7"}}
OURS = {"app.kubernetes.io/part-of": "hookplane"}
FITS = ServiceTarget(None, ("10.96.0.7",))


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
        (
            GOOD | {"metadata": {"labels": OURS | {"app.kubernetes.io/component": "operator"}}},
            "own",
        ),
        (GOOD | {"metadata": {"labels": OURS | {"app.kubernetes.io/component": "receiver"}}}, None),
    ],
)
def test_what_can_lead_outside_is_objected_to(service: Object | None, words: str | None) -> None:
    found = objection("web", service)
    assert found is None if words is None else found is not None and words in found


@pytest.mark.parametrize(
    ("given", "addresses"),
    [
        ({"clusterIP": "10.96.0.7"}, ("10.96.0.7",)),
        (
            {"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "FD00:0::7"]},
            ("10.96.0.7", "fd00::7"),
        ),
        ({"clusterIP": "None", "clusterIPs": ["None"]}, ()),
        ({}, ()),
    ],
)
def test_addresses_of_a_service(given: Object, addresses: tuple[str, ...]) -> None:
    spec = {"selector": {"app": "web"}} | given
    assert target_of("web", {"spec": spec}) == ServiceTarget(None, addresses)


@pytest.mark.parametrize(
    ("given", "ports"),
    [
        (GOOD["spec"], (80, 8443)),
        # its name leads straight to pods, which listen where they like
        ({"selector": {"app": "web"}, "clusterIP": "None"}, ()),
    ],
)
def test_ports_of_a_service(given: Object, ports: tuple[int, ...]) -> None:
    named = [
        {"name": "http", "port": 80, "targetPort": 8080},
        {"name": "https", "port": 8443, "protocol": "TCP"},
        {"name": "dns", "port": 53, "protocol": "UDP"},
    ]
    assert target_of("web", {"spec": given | {"ports": named}}).ports == ports


async def test_one_that_gets_another_address_is_told() -> None:
    scene = Scene()
    await scene.use(SHOP)
    scene.cluster.there[SHOP] = {"spec": GOOD["spec"] | {"clusterIP": "10.96.0.8"}}
    await scene.after(FIT.after)
    assert scene.changed == [SHOP]


class Scene:
    """Services in use, and whose change was told."""

    def __init__(self) -> None:
        self.cluster, self.clock = Cluster(), ManualClock()
        self.changed: list[Name] = []
        self.services = services_in_use(self.cluster.find, self.clock, self.changed.append)

    async def use(self, *names: Name) -> dict[Name, ServiceTarget | ApiError]:
        self.services.use("user", frozenset(names))
        return await self.services.read(names)

    async def after(self, seconds: float) -> list[Name]:
        """What was read again then."""
        self.clock.advance(int(seconds * 1000))
        self.cluster.asked.clear()
        await self.services.refresh()
        return self.cluster.asked


async def test_each_is_read_once_and_again_when_it_is_old() -> None:
    scene = Scene()
    assert await scene.use(SHOP, SHOP) == {SHOP: FITS}
    assert await scene.use(SHOP) == {SHOP: FITS}
    assert scene.cluster.asked == [SHOP]
    del scene.cluster.there[SHOP]
    assert await scene.after(FIT.after - 1) == []
    assert await scene.after(1) == [SHOP]
    assert scene.changed == [SHOP]
    assert "there is no Service" in str((await scene.use(SHOP))[SHOP])


async def test_one_that_comes_is_found_soon() -> None:
    scene = Scene()
    await scene.use(SHOP, OTHER)
    scene.cluster.there[OTHER] = GOOD
    assert await scene.after(REFUSED.after) == [OTHER]
    assert scene.changed == [OTHER]
    assert await scene.use(OTHER) == {OTHER: FITS}


async def test_thousands_are_read_in_turns() -> None:
    scene = Scene()
    names = [("shop", f"n{number}") for number in range(1000)]
    scene.cluster.there = dict.fromkeys(names, GOOD)
    await scene.use(*names)
    first = list(await scene.after(FIT.after))
    second = list(await scene.after(1))
    assert len(first) == len(second) == FIT.per_second
    assert set(first).isdisjoint(second)
    assert scene.changed == []


async def test_what_nobody_uses_is_forgotten() -> None:
    scene = Scene()
    await scene.use(SHOP)
    scene.services.use("user", frozenset())
    assert await scene.after(FIT.after) == []
    await scene.services.read([SHOP])
    assert scene.cluster.asked == [SHOP]


async def test_one_that_cannot_be_read_is_not_remembered_and_spoils_no_other() -> None:
    scene = Scene()
    scene.cluster.refused = {OTHER}
    found = await scene.use(SHOP, OTHER)
    assert found[SHOP] == FITS
    assert isinstance(found[OTHER], ApiError)
    scene.cluster.refused, scene.cluster.there[OTHER] = set(), GOOD
    assert await scene.use(OTHER) == {OTHER: FITS}
