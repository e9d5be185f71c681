"""Children of a gateway: restricted, without tokens, and what the spec asks for."""

from __future__ import annotations

import json
from typing import Any

import kubernetes_validate
import pytest
from pydantic import ValidationError

from hookplane.kinds.gateway import Scaled, WebhookGateway
from hookplane_operator.gateways.children import ChildMaker, desired
from hookplane_operator.gateways.drift import stamped
from hookplane_operator.gateways.pods import shown_url
from hookplane_operator.kube.kinds import Object
from hookplane_operator.settings import parse_settings

BASE = "store: {postgresql: {dsn: {secretKeyRef: {name: db, key: dsn}}}}"
SETTINGS = """
image: registry.example/hookplane:1
imagePullSecrets: [{name: pull}]
pods:
  nodeSelector: {disk: ssd}
  tolerations: [{key: dedicated, operator: Exists}]
  priorityClassName: high
  labels: {team: platform}
"""
SPECS: dict[str, dict[str, Any]] = {
    "smallest": {},
    "console": {"console": {"enabled": True}},
    "signing console": {"console": {"enabled": True, "trigger": True}},
    "autoscaled": {
        "receiver": {
            "autoscaling": {"maxReplicas": 3},
            "resources": {"requests": {"cpu": "100m"}},
        }
    },
    "ingress": {
        "receiver": {
            "ingress": {
                "host": "a.example",
                "className": "nginx",
                "tlsSecretName": "tls",
                "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "1m"},
            }
        }
    },
    "balancer": {
        "receiver": {
            "service": {
                "type": "LoadBalancer",
                "annotations": {"balancer.example/internal": "true"},
                "loadBalancerClass": "balancer.example/one",
                "loadBalancerSourceRanges": ["192.0.2.0/24"],
                "externalTrafficPolicy": "Local",
                "ipFamilyPolicy": "PreferDualStack",
                "ipFamilies": ["IPv6", "IPv4"],
                "nodePorts": {"http": 30080},
            },
            "resources": {"limits": {"ephemeral-storage": "1Gi", "memory": "1e9"}},
        }
    },
    "tls": {
        "console": {"enabled": True},
        "receiver": {"tls": {"certificateRef": {"name": "hooks-example-com"}}},
    },
    "several": {"receiver": {"replicas": 3, "trustedProxies": ["10.0.0.0/8"]}},
}


def children(spec: dict[str, Any]) -> list[Object]:
    maker = ChildMaker(gateway_of(spec), parse_settings(SETTINGS, "settings"), "sum")
    return [stamped(x) for x in maker.make()]


def gateway_of(spec: dict[str, Any]) -> WebhookGateway:
    store = {"postgresql": {"dsn": {"secretKeyRef": {"name": "db", "key": "dsn"}}}}
    return WebhookGateway.model_validate(
        {
            "metadata": {
                "name": "g",
                "namespace": "system",
                "uid": "u",
                "labels": {"secret": "of-the-parent"},
                "annotations": {"note": "of-the-parent"},
            },
            "spec": {"store": store} | spec,
        }
    )


@pytest.mark.parametrize("name", SPECS)
def test_children_fit_their_schemas(name: str) -> None:
    for child in children(SPECS[name]):
        kubernetes_validate.validate(child, "1.37", strict=True)
        assert child["metadata"]["ownerReferences"][0]["uid"] == "u"
        assert "of-the-parent" not in str(child)


@pytest.mark.parametrize("name", SPECS)
def test_pods_are_restricted_and_hold_no_key_to_the_cluster(name: str) -> None:
    for child in children(SPECS[name]):
        if child["kind"] != "Deployment":
            continue
        pod = child["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        # OpenShift's restricted-v2 refuses users and groups that it has not chosen itself
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        modes = {x["secret"]["defaultMode"] for x in pod["volumes"] if "secret" in x}
        assert modes == {0o444}, "whatever user the pod runs as"
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert not [x for x in container["env"] if "secretKeyRef" in str(x)]


@pytest.mark.parametrize(("spec", "console"), [("console", []), ("signing console", ["inbound"])])
def test_no_role_can_open_what_it_does_not_need(spec: str, console: list[str]) -> None:
    """Receivers cannot open what subscriptions hold, and a console that signs nothing, nothing."""
    mounted = {}
    for child in children(SPECS[spec]):
        if child["kind"] == "Deployment":
            pod = child["spec"]["template"]["spec"]
            items = [x["secret"]["items"] for x in pod["volumes"] if x["name"] == "keys"]
            mounts = [x for x in pod["containers"][0]["volumeMounts"] if x["name"] == "keys"]
            assert len(mounts) == len(items)
            mounted[child["metadata"]["name"]] = [x["key"] for keys in items for x in keys]
    assert mounted == {
        "g-receiver": ["inbound"],
        "g-dispatcher": ["inbound", "outbound"],
        "g-console": console,
    }


@pytest.mark.parametrize(
    ("spec", "told"),
    [("console", (None, None)), ("signing console", ("true", "/etc/hookplane/keys"))],
)
def test_the_console_signs_only_where_the_spec_says_so(
    spec: str, told: tuple[str | None, str | None]
) -> None:
    made = {(x["kind"], x["metadata"]["name"]): x for x in children(SPECS[spec])}
    [container] = made["Deployment", "g-console"]["spec"]["template"]["spec"]["containers"]
    env = {x["name"]: x.get("value") for x in container["env"]}
    assert (env.get("HOOKPLANE_TRIGGER"), env.get("HOOKPLANE_SEALING_KEYS_FILE")) == told


def test_nothing_leads_to_the_console() -> None:
    """No Service, and a policy that lets nobody in but to health and metrics."""
    made = {(x["kind"], x["metadata"]["name"]): x for x in children(SPECS["console"])}
    assert [name for kind, name in made if kind == "Service"] == ["g-receiver"]
    [rule] = made["NetworkPolicy", "g-console"]["spec"]["ingress"]
    assert [x["port"] for x in rule["ports"]] == [8081]
    [container] = made["Deployment", "g-console"]["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"name": "metrics", "containerPort": 8081}]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == "metrics"


def test_only_receivers_end_tls() -> None:
    made = {(x["kind"], x["metadata"]["name"]): x for x in children(SPECS["tls"])}
    having = [name for name, child in made.items() if "hooks-example-com" in str(child)]
    assert having == [("Deployment", "g-receiver")]
    pod = made["Deployment", "g-receiver"]["spec"]["template"]["spec"]
    mounts = {x["name"]: x["mountPath"] for x in pod["containers"][0]["volumeMounts"]}
    env = {x["name"]: x.get("value") for x in pod["containers"][0]["env"]}
    assert env["HOOKPLANE_TLS_CERTIFICATE_FILE"] == f"{mounts['tls']}/tls.crt"
    assert env["HOOKPLANE_TLS_KEY_FILE"] == f"{mounts['tls']}/tls.key"
    assert env["HOOKPLANE_TLS_LISTEN"] == "[::]:8443"


@pytest.mark.parametrize(
    ("spec", "url"),
    [
        ({}, "http://g-receiver.system.svc.cluster.local"),
        (SPECS["tls"], "https://g-receiver.system.svc.cluster.local"),
        (SPECS["tls"] | {"publicURL": "https://a.example"}, "https://a.example"),
    ],
)
def test_the_url_that_the_status_shows(spec: dict[str, Any], url: str) -> None:
    assert shown_url(gateway_of(spec), parse_settings(SETTINGS, "settings")) == url


def test_test_events_of_the_console_go_over_the_plain_port() -> None:
    """The certificate is for the public name, not for the Service's."""
    made = {(x["kind"], x["metadata"]["name"]): x for x in children(SPECS["tls"])}
    container = made["Deployment", "g-console"]["spec"]["template"]["spec"]["containers"][0]
    env = {x["name"]: x.get("value") for x in container["env"]}
    assert env["HOOKPLANE_RECEIVER_URL"].startswith("http://g-receiver.system.svc")


def test_the_platforms_settings_reach_the_pods() -> None:
    deployment = next(x for x in children({}) if x["kind"] == "Deployment")
    template = deployment["spec"]["template"]
    assert template["metadata"]["labels"]["team"] == "platform"
    assert template["spec"]["nodeSelector"] == {"disk": "ssd"}
    assert template["spec"]["tolerations"] == [{"key": "dedicated", "operator": "Exists"}]
    assert template["spec"]["priorityClassName"] == "high"
    assert template["spec"]["imagePullSecrets"] == [{"name": "pull"}]


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ({}, {}),
        (
            {"storedBytes": "10Gi"},
            {"HOOKPLANE_GATEWAY": "system/g", "HOOKPLANE_QUOTA_STORED_BYTES": "10Gi"},
        ),
        (
            {"eventsPerSecond": 500},
            {"HOOKPLANE_GATEWAY": "system/g", "HOOKPLANE_QUOTA_EVENTS_PER_SECOND": "500"},
        ),
    ],
)
def test_quotas_reach_the_receivers_alone(quota: Object, expected: dict[str, str]) -> None:
    for child in children({"quotas": {"perNamespace": quota}}):
        if child["kind"] != "Deployment":
            continue
        [container] = child["spec"]["template"]["spec"]["containers"]
        found = {x["name"]: x.get("value") for x in container["env"]}
        told = {x: found[x] for x in found if "QUOTA" in x or "GATEWAY" in x}
        assert told == (expected if container["args"] == ["receiver"] else {})


def test_how_much_is_kept_is_told_where_the_gateway_says_it() -> None:
    dsn = {"secretKeyRef": {"name": "db", "key": "dsn"}}
    for retention, expected in (({}, None), ({"size": "10Gi"}, "10Gi")):
        store = {"postgresql": {"dsn": dsn}, "retention": retention}
        pods = [x for x in children({"store": store}) if x["kind"] == "Deployment"]
        for pod in pods:
            [container] = pod["spec"]["template"]["spec"]["containers"]
            found = {x["name"]: x.get("value") for x in container["env"]}
            assert found.get("HOOKPLANE_RETENTION_SIZE") == expected
        assert pods


def test_limits_of_senders_reach_the_receivers_alone() -> None:
    limits = {"connections": 500, "connectionsPerPeer": 100, "unverifiedBytes": "128Mi"}
    expected = {
        "HOOKPLANE_CONNECTIONS": "500",
        "HOOKPLANE_CONNECTIONS_PER_PEER": "100",
        "HOOKPLANE_UNVERIFIED_BYTES": "128Mi",
    }
    for child in children({"receiver": {"limits": limits}}):
        if child["kind"] != "Deployment":
            continue
        [container] = child["spec"]["template"]["spec"]["containers"]
        told = {x["name"]: x.get("value") for x in container["env"] if x["name"] in expected}
        assert told == (expected if container["args"] == ["receiver"] else {})


def test_dispatchers_alone_are_told_where_nothing_is_sent() -> None:
    for child in children({}):
        if child["kind"] == "Deployment":
            [container] = child["spec"]["template"]["spec"]["containers"]
            told = {x["name"]: x.get("value") for x in container["env"]}
            dispatches = container["args"] == ["dispatcher"]
            expected = "kubernetes.default.svc.cluster.local" if dispatches else None
            assert told.get("HOOKPLANE_REFUSED_TARGETS") == expected


def test_an_autoscaler_owns_the_count() -> None:
    made = {(x["kind"], x["metadata"]["name"]): x for x in children(SPECS["autoscaled"])}
    assert "replicas" not in made["Deployment", "g-receiver"]["spec"]
    assert ("HorizontalPodAutoscaler", "g-dispatcher") not in made


def test_a_count_that_the_spec_does_not_set_is_nobodys_business() -> None:
    made = {
        x["metadata"]["name"]: x for x in children(SPECS["several"]) if x["kind"] == "Deployment"
    }
    assert made["g-receiver"]["spec"]["replicas"] == 3
    assert "replicas" not in made["g-dispatcher"]["spec"]


def test_how_many_pods_there_are_to_be() -> None:
    live = {"spec": {"replicas": 5}}
    automatic = gateway_of(SPECS["autoscaled"]).spec.receiver
    assert [desired(Scaled(), None), desired(Scaled(), live)] == [1, 5]
    assert [desired(Scaled(replicas=0), live), desired(automatic, live)] == [0, 1]


def test_each_role_listens_where_its_probes_and_services_look() -> None:
    listens = {}
    for child in children(SPECS["console"]):
        if child["kind"] == "Deployment":
            [container] = child["spec"]["template"]["spec"]["containers"]
            env = {x["name"]: x.get("value") for x in container["env"]}
            assert env["HOOKPLANE_HEALTH"] == "[::]:8081"
            listens[child["metadata"]["name"]] = env.get("HOOKPLANE_LISTEN")
    assert listens == {
        "g-receiver": "[::]:8080",
        "g-dispatcher": None,
        "g-console": "127.0.0.1:8090",
    }


@pytest.mark.parametrize("hostnames", [[], ["a.example", "b.example"]])
def test_a_route_is_made_where_the_cluster_knows_routes(hostnames: list[str]) -> None:
    parent = {"name": "edge", "namespace": "infra"}
    route = {"parentRefs": [parent], "hostnames": hostnames}
    gateway = gateway_of({"receiver": {"route": route}})
    settings = parse_settings(SETTINGS, "settings")
    without = ChildMaker(gateway, settings, "sum").make()
    made = ChildMaker(gateway, settings, "sum", frozenset({"HTTPRoute"})).make()
    assert [x for x in without if x["kind"] == "HTTPRoute"] == []
    [spec] = [x["spec"] for x in made if x["kind"] == "HTTPRoute"]
    assert spec["rules"] == [{"backendRefs": [{"name": "g-receiver", "port": 80}]}]
    assert spec.get("hostnames", []) == hostnames
    assert parent.items() <= spec["parentRefs"][0].items()


def test_what_is_said_of_the_service_is_in_the_service() -> None:
    made = {(x["kind"], x["metadata"]["name"]): x for x in children(SPECS["balancer"])}
    service, given = made["Service", "g-receiver"], SPECS["balancer"]["receiver"]["service"]
    spec = service["spec"]
    same = given.keys() - {"annotations", "nodePorts"}
    assert {name: spec[name] for name in same} == {name: given[name] for name in same}
    assert [x.get("nodePort") for x in spec["ports"]] == [30080]
    assert given["annotations"].items() <= service["metadata"]["annotations"].items()


def test_what_is_not_said_of_the_service_is_left_to_others() -> None:
    made = {(x["kind"], x["metadata"]["name"]): x for x in children({})}
    assert made["Service", "g-receiver"]["spec"].keys() == {"selector", "ports"}


def test_annotations_reach_the_ingress() -> None:
    made = {(x["kind"], x["metadata"]["name"]): x for x in children(SPECS["ingress"])}
    metadata = made["Ingress", "g-receiver"]["metadata"]
    assert metadata["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"] == "1m"


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ({"externalTrafficPolicy": "Local"}, "need type NodePort or LoadBalancer"),
        ({"type": "ClusterIP", "nodePorts": {"http": 30080}}, "need type NodePort"),
        ({"type": "NodePort", "loadBalancerClass": "a"}, "need type LoadBalancer"),
        ({"loadBalancerSourceRanges": ["192.0.2.0/24"]}, "need type LoadBalancer"),
        ({"type": "ExternalName"}, "type"),
    ],
)
def test_what_a_service_cannot_be_is_refused(service: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        gateway_of({"receiver": {"service": service}})


def test_the_platform_says_whom_pods_believe_and_who_reads_their_metrics() -> None:
    reader = {"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}
    more = f"""
caBundle: {{configMapName: authorities, key: all.pem}}
metricsFrom: [{json.dumps(reader)}]
"""
    settings = parse_settings(SETTINGS + more, "settings")
    made = [stamped(x) for x in ChildMaker(gateway_of(SPECS["tls"]), settings, "sum").make()]
    for child in made:
        kubernetes_validate.validate(child, "1.37", strict=True)
        if child["kind"] == "Deployment":
            pod = child["spec"]["template"]["spec"]
            [container] = pod["containers"]
            env = {x["name"]: x.get("value") for x in container["env"]}
            mounts = {x["name"]: x["mountPath"] for x in container["volumeMounts"]}
            assert env["SSL_CERT_FILE"] == f"{mounts['ca']}/ca.crt"
            [volume] = [x["configMap"] for x in pod["volumes"] if x["name"] == "ca"]
            assert volume == {
                "name": "authorities",
                "items": [{"key": "all.pem", "path": "ca.crt"}],
            }
    policies = {x["metadata"]["name"]: x["spec"] for x in made if x["kind"] == "NetworkPolicy"}
    rules = {
        name: [([y["port"] for y in x["ports"]], x.get("from")) for x in spec["ingress"]]
        for name, spec in policies.items()
    }
    assert rules == {
        "g-receiver": [([8080, 8443], None), ([8081], [reader])],
        "g-dispatcher": [([8081], [reader])],
        "g-console": [([8081], [reader])],
    }


def test_the_platforms_variables_and_users_reach_all_pods() -> None:
    more = """
  extraEnv: [{name: PYTHONMALLOC, value: malloc}]
  podSecurityContext: {runAsUser: 2000}
  containerSecurityContext: {runAsGroup: 0}
"""
    settings = parse_settings(SETTINGS + more, "settings")
    made = ChildMaker(gateway_of(SPECS["console"]), settings, "sum").make()
    pods = [x["spec"]["template"]["spec"] for x in made if x["kind"] == "Deployment"]
    assert len(pods) == 3
    for pod in pods:
        [container] = pod["containers"]
        assert container["env"][-1] == {"name": "PYTHONMALLOC", "value": "malloc"}
        assert pod["securityContext"]["runAsUser"] == 2000
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["runAsGroup"] == 0
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
