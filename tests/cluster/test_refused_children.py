"""What a gateway says when the API server refuses something that it is made of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from hookplane.kinds.conditions import Reason
from support.clocks.blocking import until
from support.kubernetes.audit import about
from support.kubernetes.control_plane import ControlPlane
from support.kubernetes.installation import Installation, installation
from support.kubernetes.kubectl import Kubectl, condition, is_ready
from support.kubernetes.rights import OTHER_KINDS, OUR_KINDS, bound, role, rule

Object = dict[str, Any]
OPERATORS = "operators-of-refused"
TWO_OF_EACH = '{"spec":{"receiver":{"replicas":2},"dispatcher":{"replicas":2}}}'
DEPLOYMENTS = {"count/deployments.apps": "2"}
SOON = 20.0
"""Seconds within which a refusal is told and, where something tells of it, its end is noticed."""


@pytest.fixture(scope="module")
def place(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Its operator is no administrator."""
    kubectl = Kubectl(plane.admin)
    kubectl.apply(rights(), bound(OPERATORS, OPERATORS))
    config = plane.kubeconfig_of("operator-of-refused", OPERATORS)
    with installation(tmp_path_factory.mktemp("refused"), plane, kubeconfig=config) as made:
        made.kubectl.until("whg", "default", is_ready, seconds=180)
        yield made


def rights(without: str = "") -> Object:
    """The operators' role. `without`: a kind that they may not make or change."""
    whole = [x for x in (*OUR_KINDS, *OTHER_KINDS) if x != without]
    reading = [rule(["get", "list", "watch", "delete"], [without])] if without else []
    return role(OPERATORS, [rule(["*"], whole), *reading])


@contextmanager
def taken_away(plane: ControlPlane, plural: str) -> Iterator[None]:
    """The right to make or change objects of this kind."""
    kubectl = Kubectl(plane.admin)
    kubectl.apply(rights(without=plural))
    asks = ("auth", "can-i", "create", plural, "--as=somebody", f"--as-group={OPERATORS}")
    until(lambda: kubectl.attempt(*asks).returncode != 0, "the right to be gone")
    try:
        yield
    finally:
        kubectl.apply(rights())
        until(lambda: kubectl.attempt(*asks).returncode == 0, "the right to be back")


def quota(hard: dict[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "tight"},
        "spec": {"hard": hard},
    }


def is_refused(found: Object, words: str) -> bool:
    programmed, ready = condition(found, "Programmed"), condition(found, "Ready")
    current = found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"]
    told = (programmed.get("status"), programmed.get("reason")) == ("False", Reason.CHILD_REFUSED)
    return current and told and words in programmed["message"] and ready["status"] == "False"


def until_refused(kubectl: Kubectl, name: str, words: str) -> Object:
    """The gateway says so, in an Event too."""
    found = kubectl.until("whg", name, lambda x: is_refused(x, words), SOON)
    until(lambda: words in warnings(kubectl, name), "an Event", 30)
    return found


def warnings(kubectl: Kubectl, name: str) -> str:
    events = kubectl.list("events", f"--field-selector=involvedObject.name={name},type=Warning")
    return "\n".join(f"{x['reason']}: {x['message']}" for x in events)


def refused(place: Installation, name: str) -> float:
    sample = f'hookplane_operator_children_refused{{gateway="{place.namespace}/{name}"}}'
    return place.operator.metrics().get(sample, 0.0)


def test_a_quota_refuses_a_deployment(place: Installation, kubectl: Kubectl) -> None:
    kubectl.apply(quota(DEPLOYMENTS))
    until(lambda: kubectl.get("quota", "tight").get("status", {}).get("used"), "the quota to count")
    kubectl.apply(*place.gateway("roomy"))
    found = until_refused(kubectl, "roomy", "exceeded quota: tight")
    message = condition(found, "Programmed")["message"]
    assert 'Deployment "roomy-receiver"' in message
    assert 'Deployment "roomy-dispatcher"' in message
    assert refused(place, "roomy") == 2
    for kind in ("serviceaccount", "service", "pdb", "networkpolicy"):
        assert kubectl.find(kind, "roomy-receiver"), f"nobody refuses the {kind}"
    assert is_ready(kubectl.get("whg", "default"))
    kubectl.run("delete", "quota", "tight")
    kubectl.until("deployment", "roomy-receiver", lambda _: True, SOON)
    kubectl.until("whg", "roomy", is_ready)
    assert refused(place, "roomy") == 0
    kubectl.run("delete", "whg", "roomy")


@contextmanager
def policy(place: Installation, expression: str, message: str) -> Iterator[None]:
    """A ValidatingAdmissionPolicy for Deployments of this namespace that are changed."""
    version, name = "admissionregistration.k8s.io/v1", f"policy-{place.namespace}"
    where = {"matchLabels": {"kubernetes.io/metadata.name": place.namespace}}
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["UPDATE"],
        "resources": ["deployments"],
    }
    spec = {
        "matchConstraints": {"namespaceSelector": where, "resourceRules": [rule]},
        "validations": [{"expression": expression, "message": message}],
    }
    kinds = {
        "ValidatingAdmissionPolicy": spec,
        "ValidatingAdmissionPolicyBinding": {"policyName": name, "validationActions": ["Deny"]},
    }
    for kind, each in kinds.items():
        body = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": each}
        place.kubectl.apply(body)
    try:
        yield
    finally:
        for kind in kinds:
            place.kubectl.run("delete", kind, name)


def test_a_policy_refuses_a_change(place: Installation, kubectl: Kubectl) -> None:
    kubectl.apply(*place.gateway("edited"))
    kubectl.until("whg", "edited", is_ready)
    words = "no pods without a cost-center"
    with policy(place, "object.metadata.name != 'edited-receiver'", words):
        probe = ("label", "deployment", "edited-receiver", "probe=1", "--dry-run=server")
        until(lambda: words in kubectl.attempt(*probe).stderr, "the policy to be in force", 60)
        kubectl.run("patch", "whg", "edited", "--type=merge", "-p", TWO_OF_EACH)
        found = until_refused(kubectl, "edited", words)
        assert "edited-dispatcher" not in condition(found, "Programmed")["message"]
        assert kubectl.get("deployment", "edited-dispatcher")["spec"]["replicas"] == 2
        assert kubectl.get("deployment", "edited-receiver")["spec"]["replicas"] == 1
    kubectl.run("annotate", "whg", "edited", "again=now")  # nobody tells of policies
    kubectl.until("deployment", "edited-receiver", lambda x: x["spec"]["replicas"] == 2)
    kubectl.until("whg", "edited", is_ready)
    kubectl.run("delete", "whg", "edited")


def test_an_object_of_somebody_else_is_left_alone(place: Installation, kubectl: Kubectl) -> None:
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "taken-receiver", "labels": {"team": "others"}},
        "spec": {"clusterIP": "None", "selector": {"app": "theirs"}, "ports": [{"port": 81}]},
    }
    kubectl.apply(theirs)
    before = kubectl.get("service", "taken-receiver")
    kubectl.apply(*place.gateway("taken"))
    found = kubectl.until(
        "whg",
        "taken",
        lambda x: condition(x, "Programmed").get("reason") == Reason.CHILD_NAME_TAKEN,
        SOON,
    )
    assert 'Service "taken-receiver"' in condition(found, "Programmed")["message"]
    assert condition(found, "Stalled")["status"] == "True"
    kubectl.until("deployment", "taken-dispatcher", lambda _: True, SOON)
    assert kubectl.get("service", "taken-receiver") == before
    kubectl.run("delete", "service", "taken-receiver")
    kubectl.until("whg", "taken", is_ready)
    kubectl.run("delete", "whg", "taken")


def test_pods_that_are_refused(place: Installation, kubectl: Kubectl) -> None:
    kubectl.apply(quota({"pods": "0"}))
    until(lambda: kubectl.get("quota", "tight").get("status", {}).get("hard"), "the quota to count")
    kubectl.apply(*place.gateway("podless"))
    until_refused(kubectl, "podless", "exceeded quota: tight")
    kubectl.run("delete", "quota", "tight")
    kubectl.run(
        "rollout", "restart", "deployment/podless-receiver", "deployment/podless-dispatcher"
    )
    kubectl.until("whg", "podless", is_ready)
    kubectl.run("delete", "whg", "podless")


def answers(place: Installation, name: str, code: int) -> list[datetime]:
    """When somebody was answered so who wanted to make or change the object of this name."""
    return [
        datetime.fromisoformat(x["stageTimestamp"])
        for x in place.writes(0)
        if about(x)[1] == name and x["responseStatus"]["code"] == code
    ]


def until_it_waits_longer(place: Installation, name: str, code: int) -> None:
    """What is refused is asked for again, and the pauses grow."""

    def grew() -> bool:
        times = answers(place, name, code)
        pauses = [(after - before).total_seconds() for before, after in pairwise(times)]
        return len(pauses) >= 3 and pauses[-1] > 2 * pauses[0] and pauses[-1] > 3

    until(grew, "a longer pause", 60)


@pytest.mark.parametrize(
    ("plural", "denied", "made"),
    [
        ("deployments", "Deployment", ["service/{}-receiver", "networkpolicy/{}-receiver"]),
        ("services", "Service", ["deployment/{}-receiver", "networkpolicy/{}-dispatcher"]),
    ],
)
def test_a_right_that_was_taken_away(
    place: Installation, kubectl: Kubectl, plural: str, denied: str, made: list[str]
) -> None:
    name = f"no{plural}"
    words = f'cannot patch resource "{plural}"'
    with taken_away(place.plane, plural):
        kubectl.apply(*place.gateway(name))
        found = until_refused(kubectl, name, words)
        assert f'{denied} "{name}-receiver"' in condition(found, "Programmed")["message"]
        assert refused(place, name) == (2 if plural == "deployments" else 1)
        for other in made:
            kubectl.run("get", other.format(name))
        until_it_waits_longer(place, f"{name}-receiver", 403)
        assert is_ready(kubectl.get("whg", "default"))
    kubectl.until("whg", name, is_ready)  # nobody tells of rights: after the pause
    assert refused(place, name) == 0
    kubectl.run("delete", "whg", name)


def test_a_right_to_make_secrets_that_was_taken_away(place: Installation, kubectl: Kubectl) -> None:
    def is_told(found: Object) -> bool:
        told = condition(found, "SecretsResolved")
        current = found.get("status", {}).get("observedGeneration")
        said = (told.get("status"), told.get("reason")) == ("False", Reason.REQUEST_FAILED)
        return said and current == found["metadata"]["generation"]

    with taken_away(place.plane, "secrets"):
        kubectl.apply(*place.gateway("keyless"))
        found = kubectl.until("whg", "keyless", is_told, SOON)
        message = condition(found, "SecretsResolved")["message"]
        assert 'Secret "keyless-encryption" cannot be made' in message
        assert 'cannot create resource "secrets"' in message
        assert condition(found, "Ready")["status"] == "False"
        until(lambda: "keyless-encryption" in warnings(kubectl, "keyless"), "an Event", 30)
        assert is_ready(kubectl.get("whg", "default"))
    kubectl.until("whg", "keyless", is_ready)
    kubectl.run("delete", "whg", "keyless")


def test_a_field_that_cannot_be_changed(place: Installation, kubectl: Kubectl) -> None:
    """Somebody made a Deployment anew, with another selector: it has to be removed."""
    kubectl.apply(*place.gateway("chiselled"))
    kubectl.until("whg", "chiselled", is_ready)
    place.operator.stop()
    theirs = kubectl.get("deployment", "chiselled-receiver")
    theirs["spec"]["selector"] = {"matchLabels": {"app": "theirs"}}
    theirs["spec"]["template"]["metadata"]["labels"]["app"] = "theirs"
    for field in ("resourceVersion", "uid", "managedFields"):
        theirs["metadata"].pop(field, None)
    kubectl.run("replace", "--force", "-f", "-", given=json.dumps(theirs))
    kubectl.run("patch", "whg", "chiselled", "--type=merge", "-p", TWO_OF_EACH)
    place.operator.start()
    found = until_refused(kubectl, "chiselled", "field is immutable")
    assert 'Deployment "chiselled-receiver"' in condition(found, "Programmed")["message"]
    dispatcher = kubectl.get("deployment", "chiselled-dispatcher")
    assert dispatcher["spec"]["replicas"] == 2
    until_it_waits_longer(place, "chiselled-receiver", 422)
    kubectl.run("delete", "deployment", "chiselled-receiver")
    kubectl.until("deployment", "chiselled-receiver", lambda x: x["spec"]["replicas"] == 2, SOON)
    kubectl.until("whg", "chiselled", is_ready)
    assert refused(place, "chiselled") == 0
    kubectl.run("delete", "whg", "chiselled")
