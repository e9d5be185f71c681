"""What the chart renders, for values of every kind."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from helm_python import HelmRenderError

from hookplane_operator.gateways.pods import CA_FILE, CA_FOLDER
from hookplane_operator.settings import OperatorSettings, parse_settings

Object = dict[str, Any]
Render = Callable[..., list[Object]]
Templates = Callable[..., dict[str, str]]

HERE = Path(__file__).parent
PROMETHEUS = ("monitoring.coreos.com/v1",)
EXTERNAL: Object = {"postgresql": {"dsnSecret": {"name": "database"}}}
BUNDLED: Object = {"postgresql": {"bundled": {"enabled": True}}}
NO_GATEWAY: Object = {"defaultGateway": {"enabled": False}}
EVERYTHING: Object = {
    "commonLabels": {"team": "platform"},
    "image": {"digest": f"sha256:{'0' * 64}"},
    "imagePullSecrets": [{"name": "registry"}],
    "caBundle": {"configMapName": "authorities", "key": "all.pem"},
    "gatewayNamespaces": ["hookplane-system", "public"],
    "secrets": {"watch": True},
    "crds": {"keep": False},
    "serviceAccount": {"annotations": {"a": "b"}},
    "defaultGateway": {
        "name": "main",
        "spec": {
            "publicURL": "https://hooks.example.com",
            "store": {"retention": {"events": "24h", "attempts": "48h"}},
            "receiver": {
                "ingress": {
                    "host": "hooks.example.com",
                    "annotations": {"cert-manager.io/cluster-issuer": "main"},
                },
                "service": {"type": "LoadBalancer", "externalTrafficPolicy": "Local"},
                "resources": {"limits": {"memory": "1e9", "ephemeral-storage": "1Ti"}},
            },
            "quotas": {"perNamespace": {"storedBytes": "10Gi", "eventsPerSecond": 1_000_000}},
        },
    },
    "postgresql": {
        "bundled": {
            "enabled": True,
            "runAsUser": 1_000_650_000,
            "parameters": {"max_connections": 1_000_000, "shared_buffers": "1GB", "jit": False},
            "storage": {"className": "fast", "size": "1Ti"},
            "nodeSelector": {"disk": "fast"},
            "tolerations": [{"key": "a", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "priorityClassName": "high",
        },
    },
    "operator": {
        "podLabels": {"a": "b"},
        "podAnnotations": {"a": "b"},
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "a", "value": "b", "effect": "NoSchedule"}],
        "affinity": {"podAntiAffinity": {}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
        ],
        "priorityClassName": "high",
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "statusWritesPerSecond": 300,
        "podSecurityContext": {"runAsUser": 1_000_650_000},
        "containerSecurityContext": {"runAsGroup": 0},
    },
    "dataPlane": {
        "labels": {"a": "b"},
        "annotations": {"a": "b"},
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
        ],
        "priorityClassName": "high",
        "extraEnv": [{"name": "PYTHONMALLOC", "value": "malloc"}],
        "podSecurityContext": {"runAsUser": 1_000_650_000},
        "containerSecurityContext": {"runAsGroup": 0},
    },
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}],
        "extraEgress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
    },
    "monitoring": {
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "podMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True, "alertLabels": {"team": "platform"}},
        "dashboard": {"enabled": True, "annotations": {"folder": "Webhooks"}},
    },
    "admissionPolicies": {
        "enabled": True,
        "allowedHosts": ["api.example.com", "*.example.org"],
        "allowURLFrom": False,
        "allowServiceRef": False,
        "namespaceSelector": {"matchLabels": {"a": "b"}},
    },
}
NAMESPACED: Object = {**EXTERNAL, "watchNamespaces": ["chatbot", "payments"]}
BARE: Object = {
    **NO_GATEWAY,
    "crds": {"enabled": False},
    "rbac": {"create": False, "aggregate": False},
    "serviceAccount": {"create": False, "name": "given"},
    "operator": {"replicas": 1, "podDisruptionBudget": {"enabled": False}},
}
MATRIX = {
    "external": EXTERNAL,
    "bundled": BUNDLED,
    "everything": EVERYTHING,
    "namespaced": NAMESPACED,
    "bare": BARE,
    "own secret": {"postgresql": {"bundled": {"enabled": True, "existingSecret": "mine"}}},
    "own name": {**EXTERNAL, "fullnameOverride": "n" * 60},
}
each_case = pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX.keys())


@each_case
def test_kubernetes_takes_what_is_rendered(render: Render, values: Object) -> None:
    for found in render(values, PROMETHEUS):
        if found["apiVersion"] not in PROMETHEUS:
            kubernetes_validate.validate(found, "1.37", strict=True)


@each_case
def test_no_object_is_rendered_twice(render: Render, values: Object) -> None:
    ids = [_identity(found) for found in render(values, PROMETHEUS)]
    assert len(ids) == len(set(ids))


@each_case
def test_names_fit(render: Render, values: Object) -> None:
    for found in render(values, PROMETHEUS):
        longest = 253 if found["apiVersion"].startswith(("rbac", "admission")) else 63
        assert re.fullmatch(rf"[a-z0-9][-a-z0-9.]{{0,{longest - 1}}}", found["metadata"]["name"])


@each_case
def test_every_object_says_whose_it_is(render: Render, values: Object) -> None:
    for found in render(values, PROMETHEUS):
        labels = found["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "hookplane"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"


@each_case
def test_services_and_budgets_select_pods_that_there_are(render: Render, values: Object) -> None:
    objects = render(values)
    pods = [
        found["spec"]["template"]["metadata"]["labels"]
        for found in objects
        if found["kind"] in ("Deployment", "StatefulSet")
    ]
    for found in objects:
        if found["kind"] in ("Service", "PodDisruptionBudget", "Deployment", "StatefulSet"):
            selector = found["spec"]["selector"]
            wanted = selector.get("matchLabels", selector).items()
            assert len([x for x in pods if wanted <= x.items()]) == 1, found["metadata"]["name"]


@each_case
def test_the_operator_reads_its_settings(render: Render, values: Object) -> None:
    settings = _settings(render(values))
    assert settings.watch_namespaces == values.get("watchNamespaces", [])
    assert settings.gateway_namespaces == values.get("gatewayNamespaces", [])
    assert settings.watch_secrets == values.get("secrets", {}).get("watch", False)


def test_values_arrive_in_the_settings(render: Render) -> None:
    settings = _settings(render(EVERYTHING))
    gateway = settings.default_gateway
    assert settings.image == f"ghcr.io/hookplane/hookplane@sha256:{'0' * 64}"
    assert [x.name for x in settings.image_pull_secrets] == ["registry"]
    assert settings.pods.model_dump(by_alias=True) == EVERYTHING["dataPlane"]
    assert settings.status_writes_per_second == 300
    assert settings.metrics_from == EVERYTHING["networkPolicy"]["metricsFrom"]
    assert settings.ca_bundle is not None
    assert settings.ca_bundle.model_dump(by_alias=True) == EVERYTHING["caBundle"]
    assert (gateway.enabled, gateway.name) == (True, "main")
    assert gateway.spec is not None
    assert gateway.spec.public_url == "https://hooks.example.com"
    assert gateway.spec.store.retention.attempts == "48h"
    assert gateway.spec.quotas.per_namespace.events_per_second == 1_000_000
    assert gateway.spec.store.postgresql.dsn.secret_key_ref.name == "hookplane-postgresql"


@pytest.mark.parametrize("role", ["receiver", "dispatcher"])
def test_autoscaling_takes_the_place_of_the_charts_replicas(render: Render, role: str) -> None:
    spec = {role: {"autoscaling": {"maxReplicas": 10}}}
    gateway = _settings(render({**EXTERNAL, "defaultGateway": {"spec": spec}})).default_gateway.spec
    assert gateway is not None
    scaled = getattr(gateway, role)
    assert (scaled.replicas, scaled.autoscaling.max_replicas) == (None, 10)


def test_the_operator_believes_the_authorities_that_the_data_plane_believes(
    render: Render,
) -> None:
    pod = _one(render({**EXTERNAL, "caBundle": {"configMapName": "authorities"}}), "Deployment")
    spec = pod["spec"]["template"]["spec"]
    [container] = spec["containers"]
    env = {x["name"]: x.get("value") for x in container["env"]}
    mounts = {x["name"]: x["mountPath"] for x in container["volumeMounts"]}
    assert env["SSL_CERT_FILE"] == f"{CA_FOLDER}/{CA_FILE}" == f"{mounts['ca']}/ca.crt"
    [volume] = [x["configMap"] for x in spec["volumes"] if x["name"] == "ca"]
    assert volume == {"name": "authorities", "items": [{"key": "ca.crt", "path": "ca.crt"}]}


@pytest.mark.parametrize(
    ("volume", "kept"),
    [
        ("20Gi", "10485760Ki"),
        ("500Mi", "256000Ki"),
        ("20G", "9765625Ki"),
        ("1Ti", "536870912Ki"),
        # not whole: as without a volume of the chart's own
        ("1.5Ti", None),
    ],
)
def test_half_of_the_bundled_volume_is_for_bodies(
    render: Render, volume: str, kept: str | None
) -> None:
    values = {"postgresql": {"bundled": {"enabled": True, "storage": {"size": volume}}}}
    spec = _settings(render(values)).default_gateway.spec
    assert spec is not None
    assert spec.store.retention.size == kept


def test_a_gateway_keeps_as_much_as_it_says(render: Render) -> None:
    own = {"spec": {"store": {"retention": {"size": "3Gi", "events": "24h"}}}}
    for bundled in (True, False):
        database = {"bundled": {"enabled": True}} if bundled else {"dsnSecret": {"name": "db"}}
        spec = _settings(render({"postgresql": database, "defaultGateway": own}))
        assert spec.default_gateway.spec is not None
        retention = spec.default_gateway.spec.store.retention
        assert (retention.size, retention.events) == ("3Gi", "24h")


def test_migrations_may_have_a_connection_string_of_their_own(render: Render) -> None:
    secret = {"name": "database", "key": "app", "migrationKey": "owner"}
    gateway = _settings(render({"postgresql": {"dsnSecret": secret}})).default_gateway.spec
    assert gateway is not None
    assert gateway.store.postgresql.dsn.secret_key_ref.key == "app"
    assert gateway.store.postgresql.migration_dsn is not None
    assert gateway.store.postgresql.migration_dsn.secret_key_ref.key == "owner"


def test_changed_settings_replace_the_operators_pods(render: Render) -> None:
    def checksum(values: Object) -> str:
        pod = _one(render(values), "Deployment")["spec"]["template"]
        return str(pod["metadata"]["annotations"]["checksum/settings"])

    assert checksum(EXTERNAL) == checksum({**EXTERNAL, "operator": {"replicas": 3}})
    assert checksum(EXTERNAL) != checksum({**EXTERNAL, "clusterDomain": "example.internal"})


@pytest.mark.parametrize("keep", [True, False])
def test_crds_outlive_the_release_if_wanted(render: Render, keep: bool) -> None:
    crds = _all(render({**EXTERNAL, "crds": {"keep": keep}}), "CustomResourceDefinition")
    policies = [x["metadata"].get("annotations", {}).get("helm.sh/resource-policy") for x in crds]
    assert policies == ["keep" if keep else None] * 4


def test_crds_can_be_left_out(render: Render) -> None:
    values = {**EXTERNAL, "crds": {"enabled": False}}
    assert _all(render(values), "CustomResourceDefinition") == []


def test_monitors_need_the_apis_of_prometheus(render: Render) -> None:
    kinds = {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
    assert kinds & {x["kind"] for x in render(EVERYTHING, PROMETHEUS)} == kinds
    assert kinds & {x["kind"] for x in render(EVERYTHING)} == set()


def test_notes_say_what_was_left_out(templates: Templates) -> None:
    notes = "hookplane/templates/NOTES.txt"
    assert "monitoring.podMonitor is enabled, but" in templates(EVERYTHING)[notes]
    assert "monitoring.podMonitor is enabled, but" not in templates(EVERYTHING, PROMETHEUS)[notes]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "The default gateway needs a PostgreSQL"),
        ({"postgresql": {**EXTERNAL["postgresql"], **BUNDLED["postgresql"]}}, "not both"),
        ({**EXTERNAL, "gatewayNamespaces": ["public"]}, 'add "hookplane-system"'),
        (
            {**EXTERNAL, "admissionPolicies": {"enabled": True, "allowedHosts": ["a.example"]}},
            "bypassed by target.urlFrom",
        ),
    ],
)
def test_what_cannot_work_is_refused(render: Render, values: Object, message: str) -> None:
    with pytest.raises(HelmRenderError, match=message):
        render(values)


def test_the_rendering_is_the_one_that_was_looked_at(templates: Templates) -> None:
    """`HOOKPLANE_UPDATE_GOLDEN=1` writes it anew."""
    texts = templates(EXTERNAL)
    text = "".join(
        f"--- # {name}\n{text.strip()}\n"
        for name, text in sorted(texts.items())
        if text.strip() and "/crds/" not in name
    )
    golden = HERE / "golden" / "external.txt"
    if os.environ.get("HOOKPLANE_UPDATE_GOLDEN"):
        golden.write_text(text, "utf-8")
    assert golden.read_text("utf-8") == text


def _settings(objects: list[Object]) -> OperatorSettings:
    maps = {x["metadata"]["name"]: x for x in _all(objects, "ConfigMap")}
    (name,) = [x for x in maps if x.endswith("-operator")]
    return parse_settings(maps[name]["data"]["operator.yaml"], "operator.yaml")


def _all(objects: list[Object], kind: str) -> list[Object]:
    return [x for x in objects if x["kind"] == kind]


def _one(objects: list[Object], kind: str) -> Object:
    (found,) = _all(objects, kind)
    return found


def _identity(found: Object) -> tuple[str, str, str]:
    metadata = found["metadata"]
    return found["kind"], metadata.get("namespace", ""), metadata["name"]
