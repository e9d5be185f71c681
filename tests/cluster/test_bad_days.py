"""The operator behind a proxy that breaks requests, and on an etcd that goes back: what it knows
follows what there is, and where it cannot, that is said."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.clocks.blocking import until
from support.kubernetes.api_proxy import (
    ApiProxy,
    Effect,
    answers,
    empty,
    half,
    html,
    reset,
    silence,
)
from support.kubernetes.control_plane import ControlPlane, require_components, with_our_kinds
from support.kubernetes.installation import Installation
from support.kubernetes.kubectl import Kubectl, condition, is_ready
from support.kubernetes.manifests import Sender, endpoint
from support.kubernetes.operator import OperatorProcess, answers_ready

pytestmark = pytest.mark.slow

OTHER_KEY = "b3RoZXIta2V5LW9mLXNvbWVib2R5LWVsc2U="


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """One of our own: its history is turned back."""
    made = ControlPlane(require_components())
    try:
        yield with_our_kinds(made)
    finally:
        made.stop()


@pytest.fixture(scope="module")
def place(proxied: Installation) -> Installation:
    return proxied


@pytest.fixture
def kubectl(place: Installation, proxy: ApiProxy) -> Iterator[Kubectl]:
    yield place.kubectl
    proxy.clear()
    place.kubectl.until("whg", "default", is_ready, seconds=120)


def test_what_is_made_again_is_no_loss(place: Installation, kubectl: Kubectl) -> None:
    others = [f"bystander-{number}" for number in range(20)]
    kubectl.apply(*[endpoint(x) for x in (*others, "churn", "innocent")])
    for name in ("innocent", "churn"):
        kubectl.until("whe", name, is_ready)
    sender = Sender.of(kubectl, place.pods, "innocent")
    for _ in range(14):
        kubectl.run("delete", "whe", "churn")
        kubectl.apply(endpoint("churn"))
    kubectl.until("whe", "churn", is_ready)
    kubectl.run("delete", "whe", "innocent")
    until(lambda: sender.post(os.urandom(4).hex()) == 404, "the deletion in force", 30)
    assert condition(kubectl.get("whg", "default"), "SweepBlocked") == {}


def test_what_is_there_after_a_restore_of_etcd_is_in_force(
    place: Installation, kubectl: Kubectl
) -> None:
    names = ("edited", "deleted")
    kubectl.apply(*[endpoint(x) for x in names])
    for name in names:
        kubectl.until("whe", name, is_ready)
    senders = {x: Sender.of(kubectl, place.pods, x) for x in names}

    def answers() -> dict[str, int]:
        return {name: sender.post(os.urandom(4).hex()) for name, sender in senders.items()}

    pid, backup = place.operator.pid, place.plane.folder / "backup"
    with offline(place):
        shutil.copytree(etcd(place), backup)
    until(place.operator.leads, "the lead")
    kubectl.run("patch", "whe", "edited", "--type=merge", "-p", '{"spec": {"suspend": true}}')
    kubectl.run("delete", "whe", "deleted")
    until(lambda: answers() == {"edited": 503, "deleted": 404}, "the changes in force", 60)
    for number in range(30):
        kubectl.run("annotate", "whe", "edited", "--overwrite", f"example.com/x={number}")
    with offline(place):
        shutil.rmtree(etcd(place))
        backup.rename(etcd(place))
    until(lambda: answers() == {"edited": 200, "deleted": 200}, "what was restored in force", 60)
    kubectl.apply(endpoint("after"))
    kubectl.until("whe", "after", is_ready)
    kubectl.until("whe", "edited", is_ready)
    assert place.operator.pid == pid


def etcd(place: Installation) -> Path:
    return place.plane.folder / "etcd"


@contextmanager
def offline(place: Installation) -> Iterator[None]:
    """Neither etcd nor the API server runs."""
    place.plane.kill("api")
    place.plane.kill("etcd")
    yield
    place.plane.start_etcd()
    place.plane.start_api()


def test_where_watching_is_refused_lists_do_the_work_and_it_is_said(
    place: Installation, kubectl: Kubectl, proxy: ApiProxy
) -> None:
    kubectl.apply(endpoint("before-lists"))
    kubectl.until("whe", "before-lists", is_ready)
    proxy.add("webhookendpoints.*watch=true", answers(403))
    proxy.cut("webhookendpoints")
    found = kubectl.until("whg", "default", reason_is("Informed", "Listing"), seconds=180)
    assert condition(found, "Informed")["status"] == "True"
    what = f"webhookendpoints in {kubectl.namespace} cannot be watched"
    assert what in condition(found, "Informed")["message"]
    assert condition(found, "Ready")["status"] == "True"
    kubectl.apply(endpoint("during-lists"))
    kubectl.run("delete", "whe", "before-lists")
    kubectl.until("whe", "during-lists", is_ready, seconds=60)
    assert answers_ready(place.operator.health)
    proxy.clear()
    kubectl.until("whg", "default", reason_is("Informed", "Watching"))


def reason_is(type: str, reason: str) -> Callable[[dict[str, Any]], bool]:  # noqa: A002
    return lambda found: condition(found, type).get("reason") == reason


def test_a_watch_that_falls_silent_costs_less_than_70_seconds(
    place: Installation, kubectl: Kubectl, proxy: ApiProxy
) -> None:
    proxy.add("watch=true", silence)
    kubectl.apply(endpoint("unheard"))
    kubectl.until("whe", "unheard", is_ready, seconds=69)
    assert answers_ready(place.operator.health)


def test_a_change_that_the_answer_to_a_status_write_tells_first_is_in_force(
    place: Installation, kubectl: Kubectl, proxy: ApiProxy
) -> None:
    """The watch is late, as it may be by a moment each time."""
    kubectl.apply(endpoint("told-late"))
    kubectl.until("whe", "told-late", is_ready)
    stranger = replace(Sender.of(kubectl, place.pods, "told-late"), key=OTHER_KEY)
    proxy.add("webhookendpoints.*watch=true", silence)
    kubectl.run("patch", "whe", "told-late", "--type=merge", "-p", '{"spec": {"suspend": true}}')
    for number in range(30):
        assert stranger.post(str(number)) == 401
    until(lambda: stranger.post("again") == 503, "the suspension in force, by the answer", 30)
    proxy.clear()
    kubectl.until("whe", "told-late", reason_is("Receiving", "Suspended"))


def test_a_kind_of_which_nothing_is_heard_is_told_within_two_minutes(
    place: Installation, kubectl: Kubectl, proxy: ApiProxy
) -> None:
    proxy.add("GET .*webhookendpoints", answers(500))
    proxy.cut("webhookendpoints")
    found = kubectl.until("whg", "default", reason_is("Informed", "NotInformed"))
    informed, ready = condition(found, "Informed"), condition(found, "Ready")
    assert informed["status"] == "False"
    known = f"nothing is known of webhookendpoints in {kubectl.namespace} since 20"
    assert known in informed["message"]
    assert "injected 500" in informed["message"]
    assert (ready["status"], ready["reason"]) == ("Unknown", "NotInformed")
    assert not answers_ready(place.operator.health)
    age = place.operator.metrics()['hookplane_operator_known_age_seconds{kind="WebhookEndpoint"}']
    assert age > 60
    proxy.clear()
    kubectl.until("whg", "default", reason_is("Informed", "Watching"))
    until(lambda: answers_ready(place.operator.health), "readiness")


def test_who_is_refused_everything_is_not_ready_and_says_so_in_few_words(
    place: Installation, kubectl: Kubectl, proxy: ApiProxy
) -> None:
    pid, mark = place.operator.pid, len(place.operator.output().splitlines())
    begun = time.monotonic()
    proxy.add("", answers(401))
    proxy.cut()
    until(lambda: not answers_ready(place.operator.health), "it to be not ready", 90)
    lines = place.operator.output().splitlines()[mark:]
    minutes = (time.monotonic() - begun) / 60
    assert len([x for x in lines if "401" in x]) <= 1 + minutes, lines
    assert len(lines) <= 8 + 2 * minutes, lines
    assert not any("Traceback" in x for x in lines)
    proxy.clear()
    kubectl.apply(endpoint("after-401"))
    kubectl.until("whe", "after-401", is_ready, seconds=90)
    until(lambda: answers_ready(place.operator.health), "readiness")
    assert place.operator.pid == pid


def test_who_could_not_read_at_first_which_cluster_it_is_knows_its_databases(
    place: Installation, kubectl: Kubectl, proxy: ApiProxy
) -> None:
    """An API server that starts knows nobody's rights for a moment."""
    proxy.add("GET .*namespaces/kube-system$", answers(403))
    with second_replica(place) as second:
        proxy.clear()
        place.operator.stop()
        until(second.leads, "a takeover")
        kubectl.apply(endpoint("whose"))
        kubectl.until("whe", "whose", is_ready)


@contextmanager
def second_replica(place: Installation) -> Iterator[OperatorProcess]:
    """It may be the only one at the end, after which the first leads again."""
    second = place.another("operator-1").start()
    try:
        yield second
    finally:
        second.kill()
        place.operator.start()
        until(place.operator.leads, "the first to lead again")


@pytest.mark.parametrize(
    "effect",
    [html(), empty(), half, reset, answers(410)],
    ids=["html", "empty", "half", "reset", "410"],
)
def test_broken_lists_and_watches_hide_nothing_and_end_nothing(
    place: Installation, kubectl: Kubectl, proxy: ApiProxy, effect: Effect
) -> None:
    name, pid = f"broken-{os.urandom(3).hex()}", place.operator.pid
    kubectl.apply(endpoint(f"{name}-goes"))
    kubectl.until("whe", f"{name}-goes", is_ready)
    sender = Sender.of(kubectl, place.pods, f"{name}-goes")
    rule = proxy.add("GET .*webhook(endpoints|subscriptions|gateways)", effect)
    proxy.cut()
    until(lambda: rule.hits > 9, "requests that break")
    kubectl.run("delete", "whe", f"{name}-goes")
    kubectl.apply(endpoint(name))
    proxy.clear()
    kubectl.until("whe", name, is_ready, seconds=60)
    until(lambda: sender.post(os.urandom(4).hex()) == 404, "the deletion in force")
    assert place.operator.pid == pid
    assert "Traceback" not in place.operator.output()


def test_the_other_replica_knows_as_much(
    place: Installation, kubectl: Kubectl, proxy: ApiProxy
) -> None:
    """What was missed while it did not lead is not missing when it does."""
    kubectl.apply(endpoint("two-goes"))
    kubectl.until("whe", "two-goes", is_ready)
    with second_replica(place) as second:
        os.kill(second.pid, signal.SIGSTOP)
        kubectl.run("delete", "whe", "two-goes")
        kubectl.apply(endpoint("two-new"))
        kubectl.until("whe", "two-new", is_ready)
        proxy.cut()
        os.kill(second.pid, signal.SIGCONT)
        place.operator.stop()
        until(second.leads, "a takeover")
        kubectl.apply(endpoint("two-next"))
        kubectl.until("whe", "two-next", is_ready)
        assert kubectl.find("whe", "two-goes") is None
