"""The chart at a real API server: install, upgrade, rollback, uninstall; and the operator with
exactly the rights that the chart gives it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python import Chart, Config, HelmError

from support.clocks.blocking import until
from support.http.subscriber import target
from support.kubernetes.control_plane import ROOT, ControlPlane, require_components
from support.kubernetes.installation import gateway_spec, reachable_address
from support.kubernetes.kubectl import Kubectl, condition, is_ready
from support.kubernetes.manifests import endpoint, made, post, secret, subscription
from support.kubernetes.operator import OperatorProcess
from support.kubernetes.pods import Pods
from support.postgres.server import PostgresServer, require_binaries

CHART = ROOT / "charts" / "hookplane"
NAME = "hookplane"
SYSTEM = "hookplane-system"
PARTS = (
    "deployments",
    "horizontalpodautoscalers",
    "httproutes",
    "ingresses",
    "networkpolicies",
    "poddisruptionbudgets",
    "serviceaccounts",
    "services",
)
UNUSED = {
    # a patch that creates is checked for this right too, and the audit log does not say so
    *((part, "create") for part in PARTS),
    ("events", "create"),
    ("webhookgateways", "create"),
    # when a gateway's spec takes a part away
    *((part, "delete") for part in PARTS),
    # parts that the gateway of this test does not have
    *(
        (part, verb)
        for part in ("horizontalpodautoscalers", "httproutes", "ingresses")
        for verb in ("get", "patch")
    ),
    # an API that this cluster does not have
    ("httproutes", "watch"),
    # generated Secrets go a day after their objects
    ("secrets", "delete"),
}
"""What is granted and not used in the test below, and why that is right."""


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """One without our CRDs: installing them is what is tried."""
    made_here = ControlPlane(require_components()).start()
    yield made_here
    made_here.stop()


@pytest.fixture(scope="module")
def kubectl(plane: ControlPlane) -> Kubectl:
    admin = Kubectl(plane.admin, SYSTEM)
    admin.run("create", "namespace", SYSTEM)
    label = "pod-security.kubernetes.io/enforce=restricted"
    admin.run("label", "namespace", SYSTEM, label)
    return admin


@pytest.fixture(scope="module")
def helm(plane: ControlPlane) -> Iterator[Config]:
    config = Config(kubeconfig_path=plane.admin, namespace=SYSTEM)
    yield config
    config.close()


def values(**more: Any) -> dict[str, Any]:
    spec = gateway_spec(reachable_address())
    spec["allowedNamespaces"] = {"from": "All"}
    store = spec.pop("store")
    assert store
    base = {
        "image": {"repository": "hookplane", "tag": "test"},
        "defaultGateway": {"spec": spec},
        "postgresql": {"dsnSecret": {"name": "database", "key": "dsn"}},
    }
    return base | more


def test_install_upgrade_rollback_uninstall(helm: Config, kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl.apply(secret("database", dsn="postgresql://nobody@127.0.0.1:1/x"))
    helm.install(Chart.load(CHART), NAME, values(), namespace=SYSTEM)
    assert len(kubectl.list("deployment")) == 1
    crd = kubectl.get("crd", "webhookendpoints.hookplane.dev")
    assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    kubectl.run(
        "wait", "--for=condition=Established", "--timeout=30s", "crd/webhookendpoints.hookplane.dev"
    )
    kubectl.apply(endpoint("kept"))

    helm.upgrade(Chart.load(next_chart(tmp_path)), NAME, values(), namespace=SYSTEM)
    assert "newField" in schema_of(kubectl)
    assert kubectl.find("whe", "kept") is not None

    helm.rollback(NAME, version=1)
    assert "newField" not in schema_of(kubectl)
    assert kubectl.find("whe", "kept") is not None

    helm.uninstall(NAME)
    assert kubectl.list("deployment") == []
    assert kubectl.find("whe", "kept") is not None
    assert kubectl.find("secret", "database") is not None


def test_the_bundled_database_outlives_its_release(helm: Config, kubectl: Kubectl) -> None:
    """It stays, with its passwords, and installing again takes it over."""
    name, database = "again", "again-hookplane-postgresql"
    given = values(postgresql={"bundled": {"enabled": True}}, crds={"enabled": False})
    kinds = ("statefulset", "service", "configmap", "secret")

    def uids() -> list[str]:
        return [kubectl.get(kind, database)["metadata"]["uid"] for kind in kinds]

    helm.install(Chart.load(CHART), name, given, namespace=SYSTEM)
    before, passwords = uids(), kubectl.get("secret", database)["data"]
    helm.uninstall(name)
    assert kubectl.find("deployment", "again-hookplane-operator") is None
    assert uids() == before

    helm.install(Chart.load(CHART), name, given, namespace=SYSTEM)
    assert (uids(), kubectl.get("secret", database)["data"]) == (before, passwords)

    larger = {"bundled": {"enabled": True, "storage": {"size": "30Gi"}, "keep": False}}
    with pytest.raises(
        HelmError, match=r"(?s)storage.size is 20Gi in the cluster.* patch pvc data-again"
    ):
        helm.upgrade(Chart.load(CHART), name, given | {"postgresql": larger}, namespace=SYSTEM)
    kubectl.run("delete", "statefulset", database, "--cascade=orphan")
    helm.upgrade(Chart.load(CHART), name, given | {"postgresql": larger}, namespace=SYSTEM)
    [claim] = kubectl.get("statefulset", database)["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "30Gi"

    helm.uninstall(name)
    assert [kubectl.find(kind, database) for kind in kinds] == [None] * 4


def schema_of(kubectl: Kubectl) -> dict[str, Any]:
    crd = kubectl.get("crd", "webhookendpoints.hookplane.dev")
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    found: dict[str, Any] = schema["properties"]["spec"]["properties"]
    return found


def next_chart(folder: Path) -> Path:
    """The chart of a version with one more field."""
    copy = folder / "hookplane"
    shutil.copytree(CHART, copy)
    file = copy / "files" / "crds" / "webhookendpoints.yaml"
    crd = yaml.safe_load(file.read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["newField"] = {"type": "string"}
    file.write_text(yaml.safe_dump(crd))
    return copy


def test_the_operator_needs_no_more_and_no_less_than_the_charts_rights(
    helm: Config, plane: ControlPlane, kubectl: Kubectl, tmp_path: Path
) -> None:
    database = PostgresServer(require_binaries()).create().start()
    kubectl.apply(secret("database", dsn=database.dsn("postgres")))
    helm.install(Chart.load(CHART), NAME, values(), namespace=SYSTEM)
    deployment = kubectl.list("deployment")[0]
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    token = kubectl.run("create", "token", account, "--duration=1h").strip()
    config_map = next(x for x in kubectl.list("configmap") if "operator.yaml" in x.get("data", {}))
    settings = yaml.safe_load(config_map["data"]["operator.yaml"])
    operator = OperatorProcess(plane.kubeconfig_for(token), SYSTEM, settings, tmp_path)
    pods = Pods(kubectl, tmp_path / "pods", skip=frozenset({deployment["metadata"]["name"]}))
    tenant = Kubectl(plane.admin, "tenant")
    tenant.run("create", "namespace", "tenant")
    mark = len(plane.audited())
    try:
        operator.start()
        pods.start()
        use_everything(tenant, pods)
    finally:
        operator.stop()
        pods.stop()
        database.remove()
    user = f"system:serviceaccount:{SYSTEM}:{account}"
    seen = [x for x in plane.audited()[mark:] if x["user"]["username"] == user]
    assert seen
    denied = {spoken(x) for x in seen if x["responseStatus"]["code"] == 403}
    assert denied == set()
    unused = granted(kubectl, account) - {spoken(x) for x in seen}
    assert unused == UNUSED


def use_everything(tenant: Kubectl, pods: Pods) -> None:
    """What a tenant does in its life."""
    with target(reachable_address()) as subscriber:
        tenant.apply(endpoint("orders"), subscription("shop", ["orders"], f"{subscriber.url}/shop"))
        for kind, name in (("whe", "orders"), ("whs", "shop")):
            tenant.until(kind, name, is_ready)
        assert post(tenant, pods, "orders", "m1") in (200, 202, 204)
        until(subscriber.taken, "a delivery")
        events = {"from": "2026-01-01T00:00:00Z", "states": ["Delivered"]}
        replay: dict[str, Any] = {"subscriptionRef": {"name": "shop"}, "events": events}
        tenant.apply(made("WebhookReplay", "again", replay))
        tenant.until("whr", "again", lambda x: x.get("status", {}).get("state") == "Complete")
        tenant.apply(made("WebhookReplay", "again", replay | {"ttlSecondsAfterFinished": 0}))
        until(lambda: tenant.find("whr", "again") is None, "the end of what is not to be kept")
        aim = {"serviceRef": {"name": "absent", "port": 80}}
        refs = [{"name": "orders"}]
        tenant.apply(made("WebhookSubscription", "bad", {"endpointRefs": refs, "target": aim}))
        tenant.until("whs", "bad", lambda x: condition(x, "Ready").get("status") == "False")
        tenant.run("annotate", "whe", "orders", "hookplane.dev/rotate=1")
        until(lambda: "previous" in tenant.get("secret", "orders-verification")["data"], "a key")
        until(
            lambda: tenant.run("get", "events", "--field-selector", "type=Warning", "-o", "name"),
            "an Event",
        )


def spoken(request: dict[str, Any]) -> tuple[str, str]:
    """Resource and verb as in a Role."""
    about = request.get("objectRef", {"resource": "-"})
    part = f"/{about['subresource']}" if "subresource" in about else ""
    return f"{about['resource']}{part}", request["verb"]


def granted(kubectl: Kubectl, account: str) -> set[tuple[str, str]]:
    """All that Roles and ClusterRoles of the release grant the operator."""
    roles = kubectl.list("role") + kubectl.list("clusterrole")
    bound = {
        x["roleRef"]["name"]
        for x in kubectl.list("rolebinding") + kubectl.list("clusterrolebinding")
        if any(subject.get("name") == account for subject in x.get("subjects", ()))
    }
    return {
        (resource, verb)
        for role in roles
        if role["metadata"]["name"] in bound
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
