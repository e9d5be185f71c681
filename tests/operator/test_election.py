"""One leader at a time, and all are told of every moment without one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from hookplane_operator.election import (
    LEASE_SECONDS,
    RENEW_SECONDS,
    SURE_SECONDS,
    TERM,
    Election,
    term_of,
)
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
        self.meanwhile: Callable[[], object] = lambda: None
        """What happens between a reading and the writing that follows."""

    async def find(self, _: Resource, __: str, ___: str) -> Object | None:
        found = self.lease
        self.meanwhile()
        return found

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

    def edit(self, **changes: object) -> None:
        """What a person does to its spec."""
        assert self.lease is not None
        version = int(self.lease["metadata"]["resourceVersion"])
        self.lease = {**self.lease, "spec": {**self.lease["spec"], **changes}}
        self.lease["metadata"] = {**self.lease["metadata"], "resourceVersion": str(version + 1)}


class Candidate:
    """A replica whose rounds are run by hand."""

    def __init__(self, cluster: Cluster, name: str, *, first: bool = True) -> None:
        """`first`: nobody has led before."""
        self._cluster = cluster
        self.told: list[bool] = []
        self.election = Election(_unused, "hookplane", name, lambda: cluster.now)
        if first:
            self.election.expect_no_leader()

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


# Who reads that it does not hold the Lease ------------------------------------------------------


@pytest.mark.parametrize("holder", ["b", "a-person", ""])
def test_who_reads_that_another_one_holds_it_stops_at_once(holder: str) -> None:
    cluster = Cluster()
    first, second = Candidate(cluster, "a"), Candidate(cluster, "b")
    first.round()
    cluster.edit(holderIdentity=holder)
    assert not second.round(), "the first one may still write for a moment"
    assert not first.round(0.1)
    assert first.told == [True, False]
    assert not second.round(LEASE_SECONDS - 1)
    assert second.round(1.1)
    assert not first.round()


def test_who_finds_its_lease_deleted_goes_on_and_others_wait() -> None:
    cluster = Cluster()
    first, second = Candidate(cluster, "a"), Candidate(cluster, "b", first=False)
    first.round()
    term = first.election.term
    cluster.lease = None
    assert not second.round(RENEW_SECONDS)
    assert first.round()
    assert (first.told, first.election.term) == ([True], term)
    assert not second.round(LEASE_SECONDS + 1)


def test_a_lease_that_stays_away_is_taken_when_nobody_can_believe_in_it() -> None:
    cluster = Cluster()
    late = Candidate(cluster, "b", first=False)
    assert not late.round()
    assert not late.round(LEASE_SECONDS)
    assert late.round(0.1)


def test_a_leader_that_lapsed_does_not_make_a_deleted_lease_at_once() -> None:
    cluster = Cluster()
    first = Candidate(cluster, "a")
    first.round()
    cluster.lease = None
    assert not first.round(SURE_SECONDS)
    assert first.round(LEASE_SECONDS + 1)
    assert first.told == [True, False, True]


def test_an_older_copy_of_the_lease_ends_the_lead_of_who_is_not_in_it() -> None:
    """The storage of the API server was restored."""
    cluster = Cluster()
    first, second = Candidate(cluster, "a"), Candidate(cluster, "b")
    first.round()
    copy = cluster.lease
    second.round()
    assert second.round(LEASE_SECONDS + 1)
    term, cluster.lease = second.election.term, copy
    assert not second.round(RENEW_SECONDS)
    assert not first.round()
    assert first.round(LEASE_SECONDS + 1)
    assert not second.round()
    assert first.election.term == term, "which a database refuses to one of them"


def test_somebody_who_writes_in_between_costs_no_round() -> None:
    cluster = Cluster()
    only = Candidate(cluster, "a")
    only.round()

    def annotate() -> None:
        cluster.meanwhile = lambda: None
        cluster.edit(renewTime="by hand")

    cluster.meanwhile = annotate
    assert only.round(SURE_SECONDS - 0.1)
    assert only.round(SURE_SECONDS - 0.1)
    assert only.told == [True]


# Terms ------------------------------------------------------------------------------------------


def test_a_term_is_one_more_than_the_one_before() -> None:
    cluster = Cluster()
    first, second = Candidate(cluster, "a"), Candidate(cluster, "b")
    first.round()
    assert (first.election.term, term_of(cluster.lease)) == (1, 1)
    second.round()
    assert second.round(LEASE_SECONDS + 1)
    assert (second.election.term, term_of(cluster.lease)) == (2, 2)


def test_a_leader_that_a_database_refuses_takes_a_higher_term_if_it_still_leads() -> None:
    cluster = Cluster()
    first, second = Candidate(cluster, "a"), Candidate(cluster, "b")
    first.round()
    second.round()
    first.election.outbid(41)
    assert first.round(RENEW_SECONDS)
    assert (first.election.term, first.told) == (42, [True])
    assert first.round(RENEW_SECONDS)
    assert first.election.term == term_of(cluster.lease) == 42
    second.round()
    assert second.round(LEASE_SECONDS + 1)
    assert second.election.term == 43
    first.election.outbid(43)
    assert not first.round()
    assert term_of(cluster.lease) == 43


def test_a_term_that_was_a_time_is_only_a_high_number() -> None:
    """A replica of the former version wrote the Lease, and its clock was an hour ahead."""
    cluster = Cluster()
    metadata = {"name": "hookplane-operator", "resourceVersion": "1"}
    spec = {"holderIdentity": "old", "acquireTime": "2035-01-01T00:00:00.000007Z"}
    cluster.lease = {"metadata": metadata, "spec": spec}
    time = 2_051_222_400_000_007
    assert term_of(cluster.lease) == time
    only = Candidate(cluster, "a")
    only.round()
    assert only.round(LEASE_SECONDS + 1)
    assert only.election.term == term_of(cluster.lease) == time + 1


@pytest.mark.parametrize("term", ["", "-5", "many", "1e9", "9" * 19, "9" * 5_000, "\u0663"])
def test_what_a_person_makes_of_the_term_is_no_term(term: str) -> None:
    metadata = {"name": "x", "annotations": {TERM: term}}
    assert term_of({"metadata": metadata}) == 0


def test_two_processes_of_one_name_are_two_holders() -> None:
    cluster = Cluster()
    assert Candidate(cluster, "a").election.holder != Candidate(cluster, "a").election.holder
