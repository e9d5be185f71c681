"""The operator while the API server or the database is away, busy, or refuses: nothing is lost,
nothing is removed because it could not be seen, and it recovers by itself."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from hookplane.kinds.conditions import Reason
from support.clocks.blocking import until
from support.http.subscriber import Target
from support.kubernetes.audit import about, is_told, out_of_turn, user_of
from support.kubernetes.control_plane import CRDS, ControlPlane, require_components
from support.kubernetes.deletions import confirm_deletions
from support.kubernetes.installation import Installation, installation
from support.kubernetes.kubectl import Kubectl, condition, is_ready
from support.kubernetes.manifests import Sender, endpoint, made, post, subscription
from support.kubernetes.operator import OperatorProcess
from support.kubernetes.rights import OTHER_KINDS, OUR_KINDS, bound, role, rule

pytestmark = pytest.mark.slow
USER, OPERATORS = "the-operator", "operators"
OURS = ("hookplane",)
"""What the parts of the operator call themselves."""
TAKEN = (200, 202, 204)
ROWS = "select count(*) from hookplane.config where document is not null"
MASS = f"{ROWS} and place like '%mass-%'"
"""Of one test alone: what others left may be swept meanwhile."""


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """One of our own: others are not to suffer."""
    made = ControlPlane(require_components())
    try:
        made.start()
        install(Kubectl(made.admin))
        yield made
    finally:
        made.stop()


def install(kubectl: Kubectl) -> None:
    kubectl.run("apply", "--server-side", "-f", str(CRDS))
    kubectl.run("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))


@pytest.fixture(scope="module")
def place(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    kubectl = Kubectl(plane.admin)
    grant(kubectl, OUR_KINDS)
    give(kubectl, "operator-rest", ["*"], [x for x in OTHER_KINDS if x != "services"])
    grant_services(kubectl, "*")
    config = plane.kubeconfig_of(USER, OPERATORS)
    with installation(tmp_path_factory.mktemp("faults"), plane, kubeconfig=config) as made:
        made.kubectl.until("whg", "default", is_ready, seconds=180)
        yield made


def grant(kubectl: Kubectl, plurals: tuple[str, ...]) -> None:
    """Everything about these kinds of ours, and nothing about the others."""
    give(kubectl, "operator-own", ["*"], plurals)


def grant_services(kubectl: Kubectl, *verbs: str) -> None:
    give(kubectl, "operator-services", verbs, ["services"])


def give(kubectl: Kubectl, name: str, verbs: Sequence[str], plurals: Sequence[str]) -> None:
    kubectl.apply(role(name, [rule(verbs, plurals)]), bound(name, OPERATORS))


def pair(kubectl: Kubectl, name: str, subscriber: Target) -> None:
    kubectl.apply(endpoint(name), subscription(name, [name], f"{subscriber.url}/{name}"))
    kubectl.until("whe", name, is_ready, seconds=120)
    kubectl.until("whs", name, is_ready, seconds=120)


def flows(place: Installation, name: str, event: str, subscriber: Target) -> None:
    """An event is accepted and delivered."""
    before = len(subscriber.taken(f"/{name}"))
    assert post(place.kubectl, place.pods, name, event) in TAKEN
    until(lambda: len(subscriber.taken(f"/{name}")) > before, f"the delivery of {event}")


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_the_api_server_away_for_two_minutes(
    place: Installation, kubectl: Kubectl, subscriber: Target, how: str
) -> None:
    name = f"away-{how}"
    pair(kubectl, name, subscriber)
    flows(place, name, "before", subscriber)
    place.settle()
    ready = {kind: ready_since(kubectl, kind, name) for kind in ("whe", "whs")}
    sender = Sender.of(kubectl, place.pods, name)
    mark, begun = len(place.plane.audited()), time.monotonic()
    cut(place.plane, how)
    try:
        end, number = time.monotonic() + 120, 0
        while time.monotonic() < end:
            number += 1
            assert sender.post(f"{name}-{number}") in TAKEN
            until(lambda n=number: len(subscriber.taken(f"/{name}")) == n + 1, "a delivery")  # type: ignore[misc]
            time.sleep(2)
    finally:
        mend(place.plane, how)
    kubectl.apply(endpoint(f"{name}-next"))
    kubectl.until("whe", f"{name}-next", is_ready, seconds=120)
    place.settle()
    told = [x for x in place.writes(mark) if is_told(x) and f"{name}-next" not in about(x)[1]]
    others = [about(x) for x in told if about(x)[1] not in (name, "default")]
    assert others == [], "something was told that had not changed"
    objects = Counter(about(x) for x in told)
    minutes = (time.monotonic() - begun) / 60
    assert max(objects.values(), default=0) <= 1 + minutes, objects  # counters, once a minute each
    assert ready == {kind: ready_since(kubectl, kind, name) for kind in ("whe", "whs")}


def ready_since(kubectl: Kubectl, kind: str, name: str) -> str:
    """Another time than before: Ready was lost and came back."""
    ready = condition(kubectl.get(kind, name), "Ready")
    assert ready["status"] == "True", ready
    return str(ready["lastTransitionTime"])


def seconds_between(first: str, second: str) -> float:
    form = "%Y-%m-%dT%H:%M:%S"
    times = [time.mktime(time.strptime(x[:19], form)) for x in (first, second)]
    return times[1] - times[0]


def cut(plane: ControlPlane, how: str) -> None:
    if how == "killed":
        plane.kill("api")
    else:
        plane.signal("api", signal.SIGSTOP)


def mend(plane: ControlPlane, how: str) -> None:
    if how == "killed":
        plane.start_api()
    else:
        plane.signal("api", signal.SIGCONT)


def test_a_storm_of_429_is_waited_out(
    place: Installation, kubectl: Kubectl, subscriber: Target
) -> None:
    pair(kubectl, "storm", subscriber)
    place.settle()
    before = len(place.plane.audited())
    with crowded(place):
        until(lambda: refused(place, before), "the first 429")
        mark = len(place.plane.audited())
        kubectl.apply(endpoint("storm-next"))
        until(lambda: len(refused(place, mark)) >= 20, "more of them", 240)
        flows(place, "storm", "during", subscriber)
        asked = refused(place, mark)
    kubectl.until("whe", "storm-next", is_ready, seconds=120)
    until(place.operator.is_at_work, "the lead", 60)
    took = seconds_between(asked[0]["stageTimestamp"], asked[-1]["stageTimestamp"])
    print(f"{len(asked)} requests were refused in {took} s")
    assert len(asked) < 30 + 2 * took, "it asked again and again"
    assert is_ready(kubectl.get("whs", "storm"))


@contextmanager
def crowded(place: Installation) -> Iterator[None]:
    """The API server has one place for the operator's user, and somebody sits on it: requests that
    an admission webhook lets wait."""
    names = itertools.count()
    over = threading.Event()
    own = Kubectl(place.kubeconfig, place.namespace)
    give(place.kubectl, "crowd", ["create"], ["configmaps"])  # nothing of the operator's own

    def sit() -> None:
        while not over.is_set():
            own.attempt("create", "configmap", f"seat-{next(names)}", "--dry-run=server")

    with socket.create_server(("127.0.0.1", 0)) as mute, ThreadPoolExecutor(2) as crowd:
        place.kubectl.apply(slow_admission(mute.getsockname()[1], place.namespace), *one_place())
        try:
            for _ in range(2):
                crowd.submit(sit)
            yield
        finally:
            over.set()
            place.kubectl.run("delete", "validatingwebhookconfiguration", "slow")
            place.kubectl.run("delete", "flowschema", "crowded")


def slow_admission(port: int, namespace: str) -> dict[str, Any]:
    """Asks somebody who never answers."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    webhook = {
        "name": "slow.example.com",
        "clientConfig": {"url": f"https://127.0.0.1:{port}/"},
        "rules": [{**rule, "operations": ["CREATE"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 30,
        "failurePolicy": "Ignore",
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "slow"},
        "webhooks": [webhook],
    }


def one_place() -> list[dict[str, Any]]:
    """Priority and fairness with the least that it can be told to keep for this user."""
    version = "flowcontrol.apiserver.k8s.io/v1"
    level = {
        "type": "Limited",
        "limited": {
            "nominalConcurrencyShares": 0,
            "lendablePercent": 0,
            "borrowingLimitPercent": 0,
            "limitResponse": {"type": "Reject"},
        },
    }
    every = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    flow = {
        "priorityLevelConfiguration": {"name": "crowded"},
        "matchingPrecedence": 2,
        "rules": [
            {
                "subjects": [{"kind": "User", "user": {"name": USER}}],
                "resourceRules": [{**every, "namespaces": ["*"], "clusterScope": True}],
            }
        ],
    }
    kinds = {"PriorityLevelConfiguration": level, "FlowSchema": flow}
    return [
        {"apiVersion": version, "kind": kind, "metadata": {"name": "crowded"}, "spec": spec}
        for kind, spec in kinds.items()
    ]


def refused(
    place: Installation, mark: int, code: int = 429, resource: str = ""
) -> list[dict[str, Any]]:
    """Requests of the operator since then that were answered so; `resource`: about this one."""
    return [
        x
        for x in place.plane.audited()[mark:]
        if x["responseStatus"]["code"] == code
        and x["userAgent"].startswith(OURS)
        and resource in ("", x["objectRef"]["resource"])
    ]


def until_refused(place: Installation, mark: int, code: int, resource: str) -> None:
    """The operator has asked for these again and again."""
    what = f"{resource} to be asked for again and again"
    until(lambda: len(refused(place, mark, code, resource)) >= 5, what, 120)


def test_what_was_deleted_while_history_was_compacted_is_noticed(
    place: Installation, kubectl: Kubectl, subscriber: Target
) -> None:
    for name in ("compact-stays", "compact-goes"):
        pair(kubectl, name, subscriber)
    place.settle()
    rows = int(place.sql(ROWS))
    os.kill(place.operator.pid, signal.SIGSTOP)
    try:
        kubectl.run("delete", "whe/compact-goes", "whs/compact-goes")
        kubectl.apply(endpoint("compact-new"))
        place.plane.kill("api")
        place.plane.compact()
        place.plane.start_api()
    finally:
        os.kill(place.operator.pid, signal.SIGCONT)
    kubectl.until("whe", "compact-new", is_ready, seconds=120)
    until(lambda: int(place.sql(ROWS)) == rows - 1, "two rows less and one more", 120)
    flows(place, "compact-stays", "after", subscriber)
    place.settle()
    found = kubectl.get("whg", "default")["status"]["resources"]
    assert found["endpoints"] == len(kubectl.list("whe"))


def test_a_right_that_is_taken_away_stops_only_its_kind(
    place: Installation, kubectl: Kubectl, subscriber: Target
) -> None:
    pair(kubectl, "role", subscriber)
    place.settle()
    rows = int(place.sql(ROWS))
    others = tuple(x for x in OUR_KINDS if x != "webhooksubscriptions")
    grant(kubectl, others)
    place.operator.kill()
    place.operator.start()
    try:
        kubectl.apply(endpoint("role-next"))
        kubectl.until("whe", "role-next", is_ready)
        flows(place, "role", "during", subscriber)
        mark = len(place.plane.audited())
        kubectl.run("delete", "whe", "role-next")  # a sweep looks, and may not see everything
        until_refused(place, mark, 403, "webhooksubscriptions")
        until(lambda: int(place.sql(ROWS)) == rows, "the end of what was seen to be deleted")
        flows(place, "role", "after-a-sweep", subscriber)
    finally:
        grant(kubectl, OUR_KINDS)
    kubectl.apply(subscription("role-late", ["role"], f"{subscriber.url}/late"))
    kubectl.until("whs", "role-late", is_ready, seconds=120)
    until(lambda: int(place.sql(ROWS)) == rows + 1, "the sweep", 120)
    flows(place, "role", "after", subscriber)


def test_a_service_that_may_not_be_read_holds_up_only_who_wants_it(
    kubectl: Kubectl, subscriber: Target
) -> None:
    to_service = {"target": {"serviceRef": {"name": "shop", "port": 80}}}
    ports, selector = [{"port": 80}], {"app": "shop"}
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "shop"},
            "spec": {"ports": ports, "selector": selector},
        }
    )
    grant_services(kubectl, "list", "watch", "create", "patch", "delete")
    try:
        refs = {"endpointRefs": [{"name": "beside"}]}
        kubectl.apply(made("WebhookSubscription", "to-service", refs | to_service))
        pair(kubectl, "beside", subscriber)
        found = kubectl.until("whs", "to-service", lambda x: condition(x, "Accepted") != {})
        accepted = condition(found, "Accepted")
        assert (accepted["status"], accepted["reason"]) == ("Unknown", Reason.REQUEST_FAILED)
        assert 'Service "shop" could not be read' in accepted["message"]
    finally:
        grant_services(kubectl, "*")
    kubectl.until("whs", "to-service", is_ready)


def test_a_kind_that_is_listed_late_takes_nothing_from_those_that_refer_to_it(
    place: Installation, kubectl: Kubectl, subscriber: Target
) -> None:
    pair(kubectl, "late", subscriber)
    place.settle()
    before = place.sql("select count(*) from hookplane.cursor where left_at is null")
    grant(kubectl, tuple(x for x in OUR_KINDS if x != "webhookendpoints"))
    place.operator.kill()
    mark = len(place.plane.audited())
    place.operator.start()
    try:
        until(place.operator.leads, "a leader")
        until_refused(place, mark, 403, "webhookendpoints")
        flows(place, "late", "during", subscriber)
        assert place.sql("select count(*) from hookplane.cursor where left_at is null") == before
        assert is_ready(kubectl.get("whs", "late"))
    finally:
        grant(kubectl, OUR_KINDS)
    kubectl.apply(endpoint("late-next"))
    kubectl.until("whe", "late-next", is_ready, seconds=120)


def test_a_deleted_crd_removes_nothing(
    place: Installation, kubectl: Kubectl, subscriber: Target
) -> None:
    pair(kubectl, "crd", subscriber)
    place.settle()
    rows = int(place.sql(ROWS))
    sender = Sender.of(kubectl, place.pods, "crd")
    pid = place.operator.pid
    kubectl.run("delete", "crd", "webhookendpoints.hookplane.dev", "--timeout=60s")
    until_refused(place, len(place.plane.audited()), 404, "webhookendpoints")
    assert int(place.sql(ROWS)) == rows
    assert sender.post("during") in TAKEN
    until(lambda: subscriber.taken("/crd"), "a delivery")
    install(kubectl)
    kubectl.apply(endpoint("crd"))
    kubectl.until("whe", "crd", is_ready, seconds=180)
    kubectl.until("whs", "crd", is_ready, seconds=60)
    until(lambda: sender.post("after") in TAKEN, "the same key again")
    until(lambda: len(subscriber.taken("/crd")) >= 2, "a delivery of the new one")
    assert place.operator.pid == pid
    assert place.operator.leads()


def test_a_narrower_scope_removes_nothing(
    place: Installation, kubectl: Kubectl, subscriber: Target
) -> None:
    pair(kubectl, "scope", subscriber)
    place.settle()
    rows = int(place.sql(ROWS))
    sender = Sender.of(kubectl, place.pods, "scope")
    place.operator.stop()
    before = place.settings["watchNamespaces"]
    place.settings["watchNamespaces"] = ["elsewhere"]
    place.operator = place.another("operator-0").start()
    try:
        until(place.operator.leads, "a leader")
        place.settle()
        assert int(place.sql(ROWS)) == rows
        assert sender.post("during") in TAKEN
    finally:
        place.operator.stop()
        place.settings["watchNamespaces"] = before
        place.operator = place.another("operator-0").start()
    kubectl.apply(endpoint("scope-next"))
    kubectl.until("whe", "scope-next", is_ready)
    assert is_ready(kubectl.get("whs", "scope"))


def test_killed_in_the_middle_of_many_creations(
    place: Installation, kubectl: Kubectl, subscriber: Target
) -> None:
    names = [f"mass-{number}" for number in range(60)]
    pair(kubectl, "mass-before", subscriber)
    place.settle()
    rows = int(place.sql(MASS))
    made = [endpoint(x) for x in names]
    made += [subscription(x, [x], f"{subscriber.url}/{x}") for x in names]
    kubectl.apply(*made[:30])
    until(lambda: int(place.sql(MASS)) > rows + 3, "the first rows")
    place.operator.kill()
    kubectl.apply(*made[30:])
    place.operator.start()
    until(lambda: int(place.sql(MASS)) > rows + 40, "more rows")
    place.operator.kill()
    place.operator.start()
    for kind in ("whe", "whs"):
        until(lambda kind=kind: not unready(kubectl, kind, names), f"every {kind}", 180)  # type: ignore[misc]
    assert int(place.sql(MASS)) == rows + 2 * len(names)
    flows(place, names[-1], "after", subscriber)
    place.operator.kill()
    kubectl.run("delete", "whe,whs", *names)
    place.operator.start()
    confirm_deletions(kubectl)
    until(lambda: int(place.sql(MASS)) <= rows, "the sweep", 120)


def unready(kubectl: Kubectl, kind: str, names: list[str]) -> list[str]:
    """Those of these that are not in force."""
    found = {x["metadata"]["name"]: x for x in kubectl.list(kind)}
    return [name for name in names if name not in found or not is_ready(found[name])]


def test_the_database_away_for_a_while(
    place: Installation, kubectl: Kubectl, subscriber: Target
) -> None:
    pair(kubectl, "store", subscriber)
    place.settle()
    pid = place.operator.pid
    place.database.stop(signal.SIGQUIT)
    begun = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    try:
        found = kubectl.until(
            "whg", "default", lambda x: condition(x, "StoreAvailable").get("status") == "False"
        )
        assert condition(found, "StoreAvailable")["reason"] == Reason.STORE_UNAVAILABLE
        kubectl.apply(endpoint("store-next"))
        found = kubectl.until(
            "whs", "store", lambda x: condition(x, "Ready")["status"] == "Unknown"
        )
        changed = condition(found, "Ready")["lastTransitionTime"]
        assert seconds_between(begun, changed) > 25, "too early"
    finally:
        place.database.start()
    for kind, name in (("whg", "default"), ("whs", "store"), ("whe", "store-next")):
        kubectl.until(kind, name, is_ready, seconds=120)
    assert place.operator.pid == pid
    flows(place, "store", "after", subscriber)


def test_at_any_time_one_of_two_operators_writes(
    place: Installation, kubectl: Kubectl, plane: ControlPlane, subscriber: Target
) -> None:
    first, second = (
        place.operator,
        place.another("operator-1", plane.kubeconfig_of("second", OPERATORS)).start(),
    )
    until(lambda: first.leads() != second.leads(), "one leader")
    begins = USER if first.leads() else "second"
    mark = len(plane.audited())
    try:
        for name, end in (("one", put_to_sleep), ("two", killed), ("three", put_to_sleep)):
            leader, other = (first, second) if first.leads() else (second, first)
            kubectl.apply(endpoint(f"single-{name}"))
            with end(leader):
                begun = time.monotonic()
                until(other.leads, "a takeover")
                print(f"takeover after {time.monotonic() - begun:.1f} s")
                pair(kubectl, f"single-{name}", subscriber)
                flows(place, f"single-{name}", "m1", subscriber)
            kubectl.apply(endpoint(f"single-{name}-again"))
            kubectl.until("whe", f"single-{name}-again", is_ready)
        written = place.writes(mark)
        assert {user_of(x) for x in written if is_told(x)} == {USER, "second"}
        assert [(user_of(x), about(x)) for x in out_of_turn(written, begins)] == []
    finally:
        second.kill()
        until(first.leads, "the first to lead again")


@contextmanager
def put_to_sleep(leader: OperatorProcess) -> Iterator[None]:
    """And it notices, when it wakes up, that another leads."""
    os.kill(leader.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(leader.pid, signal.SIGCONT)
    until(lambda: not leader.leads(), "it to notice")


@contextmanager
def killed(leader: OperatorProcess) -> Iterator[None]:
    """And it is started again."""
    leader.kill()
    try:
        yield
    finally:
        leader.start()
