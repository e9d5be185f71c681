"""One cluster has one name, also when an API server that starts refuses to tell it at first."""

from __future__ import annotations

from typing import cast

import pytest

from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.cluster import KUBE_SYSTEM, ClusterIdentity
from hookplane_operator.kube.errors import ApiError, Forbidden
from hookplane_operator.kube.kinds import Object, Resource

OWN = "hookplane-system"


class ApiServer:
    def __init__(self) -> None:
        self.errors: dict[str, ApiError] = {}
        self.asked = 0

    async def get(self, _: Resource, __: str | None, name: str) -> Object:
        self.asked += 1
        if name in self.errors:
            raise self.errors[name]
        return {"metadata": {"name": name, "uid": f"uid-of-{name}"}}


@pytest.fixture
def server() -> ApiServer:
    return ApiServer()


@pytest.fixture
def cluster(server: ApiServer) -> ClusterIdentity:
    return ClusterIdentity(cast(Kube, server), OWN)


async def test_it_is_the_uid_of_kube_system(server: ApiServer, cluster: ClusterIdentity) -> None:
    await cluster.look()
    assert cluster.owner("shop", "default") == "uid-of-kube-system/shop/default"
    asked = server.asked
    await cluster.look()
    assert server.asked == asked, "it never changes"


async def test_who_may_not_read_it_takes_its_own_namespace(
    server: ApiServer, cluster: ClusterIdentity
) -> None:
    server.errors = {KUBE_SYSTEM: Forbidden(403, "no")}
    await cluster.look()
    assert cluster.owner("shop", "default") == "uid-of-hookplane-system/shop/default"


async def test_what_was_refused_for_a_moment_is_learned(
    server: ApiServer, cluster: ClusterIdentity
) -> None:
    server.errors = {KUBE_SYSTEM: Forbidden(403, "no")}
    await cluster.look()
    taken = cluster.owner("shop", "default")
    server.errors = {}
    await cluster.look()
    assert cluster.owner("shop", "default") == "uid-of-kube-system/shop/default"
    assert cluster.other_owner("shop", "default") == taken


async def test_who_may_read_nothing_has_no_name_that_others_cannot_have(
    server: ApiServer, cluster: ClusterIdentity
) -> None:
    server.errors = dict.fromkeys((KUBE_SYSTEM, OWN), Forbidden(403, "no"))
    await cluster.look()
    assert cluster.owner("shop", "default") == "hookplane-system/shop/default"
    assert cluster.other_owner("shop", "default") == ""


async def test_an_api_server_that_is_away_says_nothing(
    server: ApiServer, cluster: ClusterIdentity
) -> None:
    server.errors = {KUBE_SYSTEM: ApiError(503, "not now")}
    with pytest.raises(ApiError):
        await cluster.look()
