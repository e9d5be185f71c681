"""The console of a gateway: at the loopback of its pod, without a Service, without keys."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from typing import Any

import pytest

from support.clocks.blocking import until
from support.kubernetes.installation import Installation, gateway_spec, reachable_address
from support.kubernetes.kubectl import Kubectl, is_ready
from support.kubernetes.manifests import endpoint, made
from support.kubernetes.operator import answers_ready
from support.kubernetes.pods import Pod


@pytest.fixture(scope="module")
def place(ready: Installation) -> Installation:
    """With a console as small as it can be, and an endpoint."""
    ready.kubectl.apply(endpoint("orders"))
    ready.kubectl.until("whe", "orders", is_ready)
    set_console(ready, enabled=True)
    return ready


def set_console(place: Installation, **console: Any) -> None:
    """The default gateway is what the settings say."""
    place.operator.stop()
    spec = gateway_spec(reachable_address()) | {"console": console}
    place.settings["defaultGateway"] = {"enabled": True, "spec": spec}
    place.operator = place.another("operator-0").start()


def console_of(place: Installation, **environment: str) -> Pod:
    """The pod, once it runs with this and answers its probes."""

    def found() -> list[Pod]:
        return [x for x in place.pods.of("console") if runs_with(x, environment)]

    until(found, "a console that is ready", 60)
    return found()[0]


def runs_with(pod: Pod, environment: dict[str, str]) -> bool:
    [container] = json.loads(pod.template)["spec"]["containers"]
    told = {x["name"]: x.get("value", "") for x in container["env"]}
    return environment.items() <= told.items() and answers_ready(pod.health)


def ask(pod: Pod, path: str, body: bytes | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", pod.port, timeout=30)
    with contextlib.closing(connection):
        method, headers = ("POST" if body else "GET"), {"Content-Type": "application/json"}
        connection.request(method, f"/api/v1{path}", body, headers)
        answer = connection.getresponse()
        return answer.status, json.load(answer)


def test_only_who_is_in_the_pod_reaches_it(place: Installation) -> None:
    """By `kubectl port-forward`, which connects inside of the pod; not by the pod's address."""
    pod = console_of(place)
    code, found = ask(pod, "/endpoints")
    assert code == 200
    assert "orders" in [x["name"] for x in found["items"]]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((reachable_address(), pod.port))


def test_nothing_in_the_cluster_leads_to_it(place: Installation, kubectl: Kubectl) -> None:
    console_of(place)
    assert {x["metadata"]["name"] for x in kubectl.list("services")} == {"default-receiver"}
    [rule] = kubectl.get("networkpolicy", "default-console")["spec"]["ingress"]
    assert [x["port"] for x in rule["ports"]] == [8081]


def test_a_service_of_an_older_version_goes(place: Installation, kubectl: Kubectl) -> None:
    receiver = kubectl.get("service", "default-receiver")
    owned = {x: receiver["metadata"][x] for x in ("labels", "ownerReferences")}
    spec = {"ports": [{"port": 80}], "selector": {"app": "console"}}
    metadata = {"name": "default-console", **owned}
    kubectl.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    until(lambda: kubectl.find("service", "default-console") is None, "no Service")


def test_it_signs_only_where_the_gateway_says_so(place: Installation, kubectl: Kubectl) -> None:
    namespace = place.namespace
    pod = console_of(place)
    assert not [x for x in pod.secrets if x.name == "keys"]
    code, refused = ask(pod, f"/endpoints/{namespace}/orders/trigger", b"{}")
    assert (code, "console.trigger: true" in refused["error"]["message"]) == (403, True)
    set_console(place, enabled=True, trigger=True)
    signing = console_of(place, HOOKPLANE_TRIGGER="true")
    [keys] = [x for x in signing.secrets if x.name == "keys"]
    assert [x.name for x in keys.iterdir()] == ["inbound"]
    code, sent = ask(signing, f"/endpoints/{namespace}/orders/trigger", b"{}")
    assert (code, sent["statusCode"]) == (200, 200)


def test_signing_without_a_console_is_refused(kubectl: Kubectl) -> None:
    spec = gateway_spec(reachable_address()) | {"console": {"trigger": True}}
    refused = kubectl.refused(made("WebhookGateway", "more", spec))
    assert "trigger is a right of the console: set enabled: true with it" in refused
