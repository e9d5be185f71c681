"""What the chart lets run, and what it lets the operator do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

Object = dict[str, Any]
Render = Callable[..., list[Object]]

EXTERNAL: Object = {"postgresql": {"dsnSecret": {"name": "database"}}}
BUNDLED: Object = {"postgresql": {"bundled": {"enabled": True}}}
NAMESPACED: Object = {**EXTERNAL, "watchNamespaces": ["chatbot", "payments"]}
WATCHING: Object = {**EXTERNAL, "secrets": {"watch": True}}
GATEWAYS: Object = {**EXTERNAL, "gatewayNamespaces": ["hookplane-system", "public"]}
CASES = {
    "external": EXTERNAL,
    "bundled": BUNDLED,
    "namespaced": NAMESPACED,
    "watching": WATCHING,
    "gateways": GATEWAYS,
}
each_case = pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())

WRITING = {"create", "update", "patch"}
GRANTING = {"escalate", "bind", "impersonate"}
NEVER = {"pods/exec", "pods", "serviceaccounts/token", "nodes", "roles", "clusterroles"}


@each_case
def test_pods_are_restricted(render: Render, values: Object) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    for pod in _pods(render(values)):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        for volume in pod["volumes"]:
            assert volume.keys() - {"name"} <= {"configMap", "secret", "emptyDir"}


def test_clusters_may_choose_the_users(render: Render) -> None:
    """OpenShift's restricted-v2 refuses pods that name a user, a group or a group of volumes
    outside of what it gave the namespace
    (https://docs.openshift.com/container-platform/latest/authentication/managing-security-context-constraints.html)."""
    chosen = {"postgresql": {"bundled": {"enabled": True, "runAsUser": None}}}
    pods = list(_pods(render(chosen)))
    assert len(pods) == 2
    for pod in pods:
        ours = [pod["securityContext"], *(x["securityContext"] for x in pod["containers"])]
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & {name for one in ours for name in one}
        assert not {"hostPath", "persistentVolumeClaim"} & {y for x in pod["volumes"] for y in x}


def test_what_is_set_is_laid_over(render: Render) -> None:
    given = {
        "operator": {
            "podSecurityContext": {"runAsUser": 2000, "fsGroup": 2000},
            "containerSecurityContext": {"seccompProfile": {"type": "Localhost"}},
        }
    }
    [pod] = _pods(render({**EXTERNAL, **given}))
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        "runAsUser": 2000,
        "fsGroup": 2000,
    }
    [container] = pod["containers"]
    assert container["securityContext"]["seccompProfile"] == {"type": "Localhost"}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@each_case
def test_containers_are_restricted(render: Render, values: Object) -> None:
    for pod in _pods(render(values)):
        for container in pod["containers"] + pod.get("initContainers", []):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]


def test_only_the_operator_gets_a_token(render: Render) -> None:
    tokens = {
        pod["containers"][0]["name"]: pod["automountServiceAccountToken"]
        for pod in _pods(render(BUNDLED))
    }
    assert tokens == {"operator": True, "postgresql": False}


@each_case
def test_rules_have_no_wildcards(render: Render, values: Object) -> None:
    for rule in _rules(render(values)):
        assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"]


@each_case
def test_no_rule_leads_to_more_rights(render: Render, values: Object) -> None:
    objects = render(values)
    for rule in _rules(objects):
        assert not GRANTING & set(rule["verbs"])
        assert not NEVER & set(rule["resources"])
    if WRITING & _verbs(_rules(objects), "secrets"):
        # whoever may create any Secret may have any ServiceAccount's token put into one
        assert _guarded(objects) == _accounts(objects)


def test_without_the_guard_rights_are_the_same_and_no_policy_is_made(render: Render) -> None:
    off = render({**EXTERNAL, "secrets": {"guard": False}})
    assert not _guarded(off)
    assert _rules(off) == _rules(render(EXTERNAL))


def test_another_account_is_guarded_in_its_place(render: Render) -> None:
    given = {**EXTERNAL, "serviceAccount": {"create": False, "name": "given"}}
    account = "system:serviceaccount:hookplane-system:given"
    assert _guarded(render(given)) == {account}


@pytest.mark.parametrize("values", [EXTERNAL, BUNDLED, NAMESPACED, GATEWAYS])
def test_secrets_cannot_be_listed(render: Render, values: Object) -> None:
    assert _verbs(_rules(render(values)), "secrets") == {"get", "create", "patch", "delete"}


def test_secrets_can_be_listed_where_it_is_wanted(render: Render) -> None:
    assert {"list", "watch"} <= _verbs(_rules(render(WATCHING)), "secrets")


def test_named_namespaces_need_no_right_beyond_them(render: Render) -> None:
    objects = render({**NAMESPACED, "rbac": {"aggregate": False}})
    assert not [x for x in objects if x["kind"] in ("ClusterRole", "ClusterRoleBinding")]
    roles = {x["metadata"]["namespace"] for x in objects if x["kind"] == "Role"}
    assert roles == {"chatbot", "payments", "hookplane-system"}


def test_gateways_are_made_where_they_may_live_and_nowhere_else(render: Render) -> None:
    objects = [x for x in render(GATEWAYS) if x["kind"] in ("Role", "ClusterRole")]
    able = {
        x["metadata"].get("namespace")
        for x in objects
        if "create" in _verbs(x["rules"], "deployments")
    }
    assert able == {"hookplane-system", "public"}


def test_no_gateway_is_made_without_a_default_one(render: Render) -> None:
    rules = _rules(render({"defaultGateway": {"enabled": False}}))
    assert _verbs(rules, "webhookgateways") == {"list", "watch"}


@each_case
def test_every_role_is_bound_to_the_operator(render: Render, values: Object) -> None:
    objects = render(values)
    bound = {
        (x["metadata"].get("namespace"), x["roleRef"]["kind"], x["roleRef"]["name"])
        for x in objects
        if x["kind"].endswith("RoleBinding")
    }
    made = {
        (x["metadata"].get("namespace"), x["kind"], x["metadata"]["name"])
        for x in _own_roles(objects)
    }
    assert bound == made
    subjects = [x["subjects"] for x in objects if x["kind"].endswith("RoleBinding")]
    account = {"name": "hookplane-operator", "namespace": "hookplane-system"}
    assert all(x == [{"kind": "ServiceAccount", **account}] for x in subjects)


def test_whoever_may_edit_a_namespace_may_edit_webhooks_there(render: Render) -> None:
    roles = {
        label.removeprefix("rbac.authorization.k8s.io/aggregate-to-"): x["rules"]
        for x in render(EXTERNAL)
        for label in x["metadata"]["labels"]
        if label.startswith("rbac.authorization.k8s.io/")
    }
    assert _verbs(roles["view"], "webhooksubscriptions") == {"get", "list", "watch"}
    assert "create" in _verbs(roles["edit"], "webhooksubscriptions")
    assert _verbs(roles["edit"], "webhookgateways") == set()
    assert "create" in _verbs(roles["admin"], "webhookgateways")


def _guarded(objects: list[Object]) -> set[str]:
    """Users whose Secrets a policy in force looks at."""
    bound = {
        x["spec"]["policyName"]
        for x in objects
        if x["kind"] == "ValidatingAdmissionPolicyBinding"
        and x["spec"] == {"policyName": x["spec"]["policyName"], "validationActions": ["Deny"]}
    }
    return {
        condition["expression"].partition("username == ")[2].strip("'")
        for x in objects
        if x["kind"] == "ValidatingAdmissionPolicy" and x["metadata"]["name"] in bound
        for rule in x["spec"]["matchConstraints"]["resourceRules"]
        if rule["resources"] == ["secrets"]
        for condition in x["spec"]["matchConditions"]
    }


def _accounts(objects: list[Object]) -> set[str]:
    """Users who get the operator's rights."""
    return {
        f"system:serviceaccount:{x['namespace']}:{x['name']}"
        for found in objects
        if found["kind"].endswith("RoleBinding")
        for x in found["subjects"]
    }


def _pods(objects: list[Object]) -> list[Object]:
    return [x["spec"]["template"]["spec"] for x in objects if "template" in x.get("spec", {})]


def _own_roles(objects: list[Object]) -> Iterator[Object]:
    for found in objects:
        labels = " ".join(found["metadata"]["labels"])
        if found["kind"] in ("Role", "ClusterRole") and "aggregate-to-" not in labels:
            yield found


def _rules(objects: list[Object]) -> list[Object]:
    """Of the operator."""
    return [rule for role in _own_roles(objects) for rule in role["rules"]]


def _verbs(rules: list[Object], resource: str) -> set[str]:
    return {verb for rule in rules if resource in rule["resources"] for verb in rule["verbs"]}
