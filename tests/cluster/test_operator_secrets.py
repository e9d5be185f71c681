"""What whoever has the operator's token can do with Secrets, at a real API server."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from helm_python import Chart, Config

from support.clocks.blocking import until
from support.kubernetes.control_plane import ROOT, ControlPlane, require_components
from support.kubernetes.kubectl import Kubectl

Object = dict[str, Any]

CHART = ROOT / "charts" / "hookplane"
SYSTEM, TENANT = "hookplane-system", "tenant"
OWN = {
    "hookplane.dev/generated-for": "uid-of-orders",
    "app.kubernetes.io/managed-by": "hookplane-operator",
}


def values(*, guard: bool) -> Object:
    return {"defaultGateway": {"enabled": False}, "secrets": {"guard": guard}}


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """One of our own: policies hold for the whole cluster."""
    made = ControlPlane(require_components()).start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def helm(plane: ControlPlane) -> Iterator[Config]:
    """The chart is installed without the guard."""
    admin = Kubectl(plane.admin)
    for name in (SYSTEM, TENANT):
        admin.run("create", "namespace", name)
    config = Config(kubeconfig_path=plane.admin, namespace=SYSTEM)
    config.install(Chart.load(CHART), "hookplane", values(guard=False), namespace=SYSTEM)
    yield config
    config.close()


@pytest.fixture(scope="module")
def admin(plane: ControlPlane, helm: Config) -> Kubectl:
    assert helm
    return Kubectl(plane.admin, TENANT)


@pytest.fixture(scope="module")
def thief(plane: ControlPlane, admin: Kubectl) -> Kubectl:
    """Whoever has the operator's token."""
    token = Kubectl(plane.admin, SYSTEM).run("create", "token", "hookplane-operator").strip()
    return Kubectl(plane.kubeconfig_for(token), admin.namespace)


@pytest.fixture(scope="module")
def guarded(helm: Config, thief: Kubectl) -> Kubectl:
    """The same, with the guard, once it is in force."""
    helm.upgrade(Chart.load(CHART), "hookplane", values(guard=True), namespace=SYSTEM)
    until(lambda: "Opaque only" in create(thief, token_of("default", "probe")), "the guard")
    return thief


def token_of(account: str, name: str) -> Object:
    """A Secret into which Kubernetes puts that ServiceAccount's token."""
    made = own(name)
    made["metadata"]["annotations"] = {"kubernetes.io/service-account.name": account}
    return made | {"type": "kubernetes.io/service-account-token", "data": {}}


def own(name: str = "orders-signing", **labels: str) -> Object:
    """As the operator makes them."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": TENANT,
            "labels": OWN | labels,
            "annotations": {"hookplane.dev/key-kind": "Standard"},
        },
        "type": "Opaque",
        "data": {"key": base64.b64encode(b"k").decode()},
    }


def create(kubectl: Kubectl, body: Object) -> str:
    """The words in which it is refused; empty: it was made."""
    return kubectl.attempt("create", "-f", "-", given=json.dumps(body)).stderr


def test_without_the_guard_the_right_to_make_secrets_is_every_accounts_token(
    admin: Kubectl, thief: Kubectl
) -> None:
    admin.run("create", "serviceaccount", "powerful")
    assert create(thief, token_of("powerful", "stolen-signing")) == ""
    found = thief.until("secret", "stolen-signing", lambda x: "token" in x.get("data", {}))
    assert found["data"]["token"]
    admin.run("delete", "secret", "stolen-signing")


def test_the_guard_knows_what_it_speaks_of(admin: Kubectl, guarded: Kubectl) -> None:
    """Kubernetes checks the expressions by itself, and tells what cannot be."""
    assert guarded
    for policy in admin.list("validatingadmissionpolicy"):
        assert policy["spec"]["failurePolicy"] == "Fail"
        checked = admin.until(
            "validatingadmissionpolicy",
            policy["metadata"]["name"],
            lambda x: "typeChecking" in x.get("status", {}),
        )
        assert not checked["status"]["typeChecking"].get("expressionWarnings")


REFUSED = {
    "a token": (token_of("powerful", "stolen-signing"), "Opaque only"),
    "another type": (own() | {"type": "bootstrap.kubernetes.io/token"}, "Opaque only"),
    "no label": (
        {**own(), "metadata": {"name": "orders-signing", "namespace": TENANT}},
        "say that they are its own",
    ),
    "another name": (own("argocd-cluster"), "end with"),
    "a label of Argo CD": (
        own(**{"argocd.argoproj.io/secret-type": "cluster"}),
        "no labels but its own",
    ),
    "a part of Argo CD": (
        own(**{"app.kubernetes.io/part-of": "argocd"}),
        "no labels but its own",
    ),
    "another key": (own() | {"data": {"server": "eA=="}}, "no keys but its own"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_only_its_own_kind_of_secret_can_be_made(guarded: Kubectl, case: str) -> None:
    body, words = REFUSED[case]
    assert words in create(guarded, body)


def test_an_annotation_that_others_act_on_is_refused(guarded: Kubectl) -> None:
    body = deepcopy(own())
    body["metadata"]["annotations"]["replicator.example.com/replicate-from"] = "kube-system/x"
    assert "no annotations but its own" in create(guarded, body)


def test_what_is_of_others_stays_as_it_is(admin: Kubectl, guarded: Kubectl) -> None:
    admin.run("create", "secret", "generic", "theirs-signing", "--from-literal=key=x")
    patch = json.dumps({"metadata": {"labels": OWN}, "data": {"key": "eQ=="}})
    words = "changes and deletes only Secrets that it made"
    for attempt in (
        guarded.attempt("patch", "secret", "theirs-signing", "--type=merge", "-p", patch),
        guarded.attempt("delete", "secret", "theirs-signing"),
    ):
        assert words in attempt.stderr
    assert admin.get("secret", "theirs-signing")["data"] == {"key": "eA=="}


def test_its_own_can_be_made_changed_and_deleted(admin: Kubectl, guarded: Kubectl) -> None:
    """Also with what users have added to one."""
    assert create(guarded, own()) == ""
    admin.run("label", "secret", "orders-signing", "team=shop")
    admin.run("annotate", "secret", "orders-signing", "example.com/note=x")
    admin.run("patch", "secret", "orders-signing", "-p", json.dumps({"data": {"more": "eA=="}}))
    change = {"data": {"key": "eg==", "previous": "eQ=="}}
    guarded.run("patch", "secret", "orders-signing", "--type=merge", "-p", json.dumps(change))
    assert admin.get("secret", "orders-signing")["data"] == change["data"] | {"more": "eA=="}
    stolen = {"metadata": {"labels": {"argocd.argoproj.io/secret-type": "cluster"}}}
    attempt = guarded.attempt(
        "patch", "secret", "orders-signing", "--type=merge", "-p", json.dumps(stolen)
    )
    assert "no labels but its own" in attempt.stderr
    guarded.run("delete", "secret", "orders-signing")


def test_others_are_not_looked_at(admin: Kubectl, guarded: Kubectl) -> None:
    assert guarded
    assert create(admin, token_of("default", "of-the-admin")) == ""
    admin.run("delete", "secret", "of-the-admin")
