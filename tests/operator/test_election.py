"""One leader at a time, and all are told of every moment without one."""

from __future__ import annotations

import asyncio
from typing import cast

from hookplane_operator.election import LEASE_SECONDS, RENEW_SECONDS, SURE_SECONDS, Election
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import Conflict
from hookplane_operator.kube.kinds import Object, Resource


class Cluster:
    """One Lease, and a time of its own."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.lease: Object | None = None
        self.takes = 0.0
        """Seconds of each write."""

    async def find(self, _: Resource, __: str, ___: str) -> Object | None:
        return self.lease

    async def create(self, _: Resource, body: Object, *, elected: bool) -> Object:
        assert not elected
        if self.lease is not None:
            raise Conflict(409, "it is there")
        return self._put(body, 1)

    async def replace(self, _: Resource, body: Object, *, elected: bool) -> Object:
        assert not elected
        version = int(body["metadata"]["resourceVersion"])
        if self.lease is None or version != int(self.lease["metadata"]["resourceVersion"]):
            raise Conflict(409, "another one wrote")
        return self._put(body, version + 1)

    def _put(self, body: Object, version: int) -> Object:
        self.now += self.takes
        metadata = {**body["metadata"], "resourceVersion": str(version)}
        self.lease = {**body, "metadata": metadata}
        return self.lease


class Candidate:
    """A replica whose rounds are run by hand."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self.told: list[bool] = []
        self.election = Election(_unused, "hookplane", name, lambda: cluster.now)

    def round(self, seconds: float = 0.0) -> bool:
        self._cluster.now += seconds
        asyncio.run(self.election.renew(cast(Kube, self._cluster), self.told.append))
        return self.election.leads()


async def _unused() -> Kube:
    raise AssertionError


def test_the_first_one_leads_as_long_as_it_renews() -> None:
    cluster = Cluster()
    first, second = Candidate(cluster, "a"), Candidate(cluster, "b")
    assert first.round()
    for _ in range(20):
        assert first.round(RENEW_SECONDS)
        assert not second.round()
    assert (first.told, second.told) == ([True], [])


def test_who_does_not_renew_stops_before_another_one_begins() -> None:
    cluster = Cluster()
    first, second = Candidate(cluster, "a"), Candidate(cluster, "b")
    first.round()
    assert not second.round()
    cluster.now += SURE_SECONDS
    assert not first.election.leads()
    assert not second.round(LEASE_SECONDS - SURE_SECONDS)
    assert second.round(0.1)
    assert second.election.term > first.election.term
    assert not first.round()
    assert (first.told, second.told) == ([True, False], [True])


def test_a_moment_without_the_lead_is_told_though_it_is_ours_again() -> None:
    """Whatever was dropped in it has to be done again."""
    cluster = Cluster()
    only = Candidate(cluster, "a")
    only.round()
    term = only.election.term
    cluster.takes = SURE_SECONDS - RENEW_SECONDS + 0.5
    assert only.round(RENEW_SECONDS)
    assert only.told == [True, False, True]
    assert only.election.term == term
