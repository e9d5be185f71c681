"""Who leads, and what a database makes of it: Leases that are deleted, edited or restored, and
terms of former versions and of other leaders."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator

import pytest

from hookplane.kinds.conditions import Reason
from support.clocks.blocking import until
from support.kubernetes.audit import about, is_told, out_of_turn, user_of
from support.kubernetes.control_plane import shared_control_plane
from support.kubernetes.installation import Installation, installation
from support.kubernetes.kubectl import Kubectl, condition, is_ready
from support.kubernetes.manifests import endpoint
from support.kubernetes.operator import OperatorProcess, answers_ready

pytestmark = pytest.mark.slow
LEASE = ("lease", "hookplane-operator")
FIRST, SECOND = "first", "second"
TERM = "select term from hookplane.store"
AN_HOUR = 3_600


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("terms")
    config = shared_control_plane().kubeconfig_of(FIRST, "system:masters")
    with installation(folder, kubeconfig=config) as made:
        made.kubectl.until("whg", "default", is_ready, seconds=180)
        yield made


@pytest.fixture
def second(place: Installation) -> Iterator[OperatorProcess]:
    """Another replica, which does not lead yet."""
    until(place.operator.leads, "the first to lead", 60)
    config = shared_control_plane().kubeconfig_of(SECOND, "system:masters")
    made = place.another("operator-1", config).start()
    yield made
    made.kill()
    until(place.operator.leads, "the first to lead again", 60)


def takes_effect(kubectl: Kubectl, name: str) -> None:
    kubectl.apply(endpoint(name))
    kubectl.until("whe", name, is_ready, seconds=90)


def take_database(place: Installation, term: int, holder: str) -> None:
    """As another leader would."""
    place.sql(f"update hookplane.store set term = {term}, holder = '{holder}'")  # noqa: S608


def micros_ahead() -> int:
    """What a version whose terms were times took for one, by a clock that is an hour ahead."""
    return int((time.time() + AN_HOUR) * 1e6)


def test_a_term_of_a_clock_that_was_ahead_holds_nobody_up(
    place: Installation, kubectl: Kubectl
) -> None:
    takes_effect(kubectl, "before")
    place.operator.stop()
    ahead = micros_ahead()
    take_database(place, ahead, "")
    kubectl.run("delete", *LEASE)
    place.operator.start()
    takes_effect(kubectl, "after")
    assert int(place.sql(TERM)) == ahead + 1
    until(lambda: answers_ready(place.operator.health), "readiness")


def test_a_lease_of_the_version_before_is_taken_over(place: Installation, kubectl: Kubectl) -> None:
    """Its time of acquisition was the term."""
    place.operator.stop()
    term = int(place.sql(TERM))
    metadata = {"annotations": {"hookplane.dev/term": None}}
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(time.time() + 2 * AN_HOUR))
    spec = {"acquireTime": stamp, "holderIdentity": "old-pod"}
    kubectl.run(
        "patch", *LEASE, "--type=merge", "-p", json.dumps({"metadata": metadata, "spec": spec})
    )
    place.operator.start()
    takes_effect(kubectl, "upgraded")
    assert int(place.sql(TERM)) > term


def delete(kubectl: Kubectl) -> None:
    kubectl.run("delete", *LEASE)


def empty_holder(kubectl: Kubectl) -> None:
    kubectl.run("patch", *LEASE, "--type=merge", "-p", '{"spec": {"holderIdentity": ""}}')


def give_away(kubectl: Kubectl) -> None:
    kubectl.run("patch", *LEASE, "--type=merge", "-p", '{"spec": {"holderIdentity": "a-person"}}')


def lower_term(kubectl: Kubectl) -> None:
    kubectl.run("annotate", *LEASE, "--overwrite", "hookplane.dev/term=1")


def raise_term(kubectl: Kubectl) -> None:
    kubectl.run("annotate", *LEASE, "--overwrite", f"hookplane.dev/term={micros_ahead() * 2}")


@pytest.mark.parametrize("meddle", [delete, empty_holder, give_away, lower_term, raise_term])
def test_whatever_becomes_of_the_lease_one_of_two_writes(
    place: Installation,
    kubectl: Kubectl,
    second: OperatorProcess,
    meddle: Callable[[Kubectl], None],
) -> None:
    begins = FIRST if place.operator.leads() else SECOND
    mark = len(place.plane.audited())
    names = [f"{meddle.__name__.replace('_', '-')}-{os.urandom(3).hex()}-{n}" for n in range(12)]
    for number, name in enumerate(names):
        kubectl.apply(endpoint(name))
        if number == 3:
            meddle(kubectl)
        time.sleep(0.5)
    for name in names:
        kubectl.until("whe", name, is_ready, seconds=90)
    until(lambda: place.operator.leads() != second.leads(), "one leader", 60)
    written = place.writes(mark)
    assert any(map(is_told, written))
    assert [(user_of(x), about(x)) for x in out_of_turn(written, begins)] == []


def test_one_that_was_refused_once_goes_on(place: Installation, kubectl: Kubectl) -> None:
    """The database was restored, or another leader was there for a moment."""
    term = int(place.sql(TERM))
    take_database(place, term + 10, "another")
    takes_effect(kubectl, "refused-once")
    assert int(place.sql(TERM)) > term + 10


def ask_for_a_write(kubectl: Kubectl, name: str) -> None:
    suspended = kubectl.get("whe", name)["spec"].get("suspend", False)
    change = json.dumps({"spec": {"suspend": not suspended}})
    kubectl.run("patch", "whe", name, "--type=merge", "-p", change)


def test_a_rival_is_told_at_once_and_waited_out(place: Installation, kubectl: Kubectl) -> None:
    """An operator of another cluster, of the same names, that was pointed to the same database."""
    term = int(place.sql(TERM)) + 1_000
    kubectl.apply(endpoint("rivalled"))

    def is_told_of() -> bool:
        nonlocal term
        if "rival" not in place.sql("select holder from hookplane.store"):
            term += 1_000
            take_database(place, term, "the rival")
            ask_for_a_write(kubectl, "rivalled")
        found = kubectl.get("whg", "default")
        return bool(condition(found, "StoreAvailable").get("reason") == Reason.WRITER_REFUSED)

    until(is_told_of, "the rival to be told", 90)
    found = kubectl.get("whg", "default")
    assert "the rival has written in term" in condition(found, "StoreAvailable")["message"]
    assert not answers_ready(place.operator.health)
    assert place.operator.metrics()["hookplane_operator_stores_refused"] == 1
    kubectl.until("whg", "default", is_ready, seconds=180)
    kubectl.until("whe", "rivalled", is_ready, seconds=90)
    until(lambda: answers_ready(place.operator.health), "readiness", 60)
