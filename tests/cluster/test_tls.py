"""The examples of a public gateway and of a partner, as they stand, with TLS of our own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from hookplane.kinds.conditions import Reason
from hookplane_receiver.client_certificates import NONE_SHOWN
from support.clocks.blocking import until
from support.http.tls import client_context, server_pair
from support.kubernetes.control_plane import (
    ROOT,
    ControlPlane,
    gateway_api,
    install_crds,
    require_components,
    with_our_kinds,
)
from support.kubernetes.installation import Installation, installation
from support.kubernetes.kubectl import Kubectl, condition, is_ready
from support.kubernetes.manifests import Object, endpoint, secret, tls_secret
from support.kubernetes.pki import Authority, Pair
from support.kubernetes.pods import Pod
from support.kubernetes.routes import ACCEPTED, RESOLVED, parent, report

SYSTEM = "hookplane-system"
PARTNER_ADDRESS = "203.0.113.77"
CERTIFICATE = "hooks-example-com"
NAME = "erp.partner.example"
BODY = b'{"message":{"id":"m-1"}}'
URL = f"https://hooks.example.com/{SYSTEM}/partner-erp"
PUBLIC = {"name": "public", "namespace": "gateway-system"}
"""The Gateway that the example's route is for; the test plays its controller."""


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """One of its own: the example names its namespace, and wants the Gateway API."""
    made = ControlPlane(require_components())
    try:
        install_crds(with_our_kinds(made), gateway_api())
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def partners() -> Authority:
    return Authority("partners")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, plane: ControlPlane) -> Iterator[Installation]:
    """The operator; the gateway `public` is its default."""
    subprocess.run(["ip", "address", "replace", f"{PARTNER_ADDRESS}/32", "dev", "lo"], check=True)
    default = {"enabled": False, "name": "public"}
    folder = tmp_path_factory.mktemp("tls")
    with installation(folder, plane, SYSTEM, defaultGateway=default) as made:
        dsn = made.database.dsn("postgres")
        made.kubectl.apply(secret("public-postgresql", **{"dsn": dsn, "migration-dsn": dsn}))
        yield made


@pytest.fixture(scope="module")
def gateway(place: Installation) -> Object:
    """In force, after everything that can be wrong with its certificate."""
    kubectl = place.kubectl
    kubectl.apply(*example("gateway.yaml"))
    one, other = server_pair(), server_pair()
    refused_for(kubectl, Reason.SECRET_NOT_FOUND, CERTIFICATE)
    kubectl.apply(secret(CERTIFICATE, **{"tls.crt": "none", "tls.key": "none"}))
    refused_for(kubectl, Reason.SECRET_NOT_ALLOWED, "kubernetes.io/tls")
    kubectl.run("delete", "secret", CERTIFICATE)
    kubectl.apply(tls_secret(CERTIFICATE, Pair(one.key, other.certificate)))
    refused_for(kubectl, Reason.SECRET_UNUSABLE, "tls.key is not the key")
    assert kubectl.find("deployment", "public-receiver") is None
    kubectl.apply(tls_secret(CERTIFICATE, other))
    kubectl.until("httproute", "public-receiver", lambda _: True)
    report(kubectl, "public-receiver", parent(PUBLIC, ACCEPTED, RESOLVED))
    return kubectl.until("whg", "public", is_ready, 120)


@pytest.fixture(scope="module")
def partner(place: Installation, gateway: Object, partners: Authority) -> Object:
    kubectl = place.kubectl
    keys = {"hmac": "hush", "api-key": "sesame", "ca.crt": partners.certificate.decode()}
    kubectl.apply(secret("partner-erp", **keys), *example("partner.yaml"))
    return kubectl.until("whe", "partner-erp", is_ready, 120)


def example(name: str) -> list[Object]:
    text = next((ROOT / "examples").rglob(name)).read_text()
    return [x for x in yaml.safe_load_all(text) if x]


def refused_for(kubectl: Kubectl, reason: Reason, words: str) -> None:
    def holds(found: Object) -> bool:
        return condition(found, "SecretsResolved").get("reason") == reason.value

    found = condition(kubectl.until("whg", "public", holds, 60), "SecretsResolved")
    assert found["status"] == "False"
    assert found["message"].startswith("spec.receiver.tls.certificateRef: ")
    assert words in found["message"]


def signed(key: bytes = b"hush") -> dict[str, str]:
    """Headers of a request as the partner makes it."""
    now = str(int(time.time()))
    content = b".".join([now.encode(), b"POST", URL.encode(), BODY])
    made = base64.b64encode(hmac.digest(key, content, hashlib.sha512)).decode()
    return {
        "X-ERP-Signature": f"v1={made}",
        "X-ERP-Timestamp": now,
        "X-ERP-Event": "order.created",
        "X-API-Key": "sesame",
    }


def send(pod: Pod, tls: ssl.SSLContext | None, **headers: str) -> tuple[int, bytes]:
    """From the partner's address; `tls`: to the port where TLS ends."""
    source = (PARTNER_ADDRESS, 0)
    if tls is None:
        wire = http.client.HTTPConnection("127.0.0.1", pod.port, 60, source)
    else:
        wire = http.client.HTTPSConnection(
            "127.0.0.1", pod.tls, timeout=60, source_address=source, context=tls
        )
    try:
        wire.request("POST", f"/{SYSTEM}/partner-erp", BODY, signed() | headers)
        answer = wire.getresponse()
        return answer.status, answer.read()
    finally:
        wire.close()


@pytest.mark.usefixtures("gateway")
def test_the_gateways_example_is_served_with_tls(place: Installation) -> None:
    ports = place.kubectl.get("service", "public-receiver")["spec"]["ports"]
    assert [(x["name"], x["port"], x["targetPort"]) for x in ports] == [
        ("http", 80, 8080),
        ("https", 443, 8443),
    ]
    [rule] = place.kubectl.get("networkpolicy", "public-receiver")["spec"]["ingress"]
    assert 8443 in [x["port"] for x in rule["ports"]]
    route = place.kubectl.get("httproute", "public-receiver")
    assert route["spec"]["rules"][0]["backendRefs"][0]["port"] == 80
    with (
        socket.create_connection(("127.0.0.1", place.pods.receiver().tls)) as plain,
        client_context().wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        assert wrapped.version() == "TLSv1.3"


@pytest.mark.usefixtures("gateway")
def test_only_receivers_have_the_certificate(place: Installation) -> None:
    having = [
        x["metadata"]["name"]
        for x in place.kubectl.list("deployments")
        if CERTIFICATE in str(x["spec"]["template"]["spec"]["volumes"])
    ]
    assert having == ["public-receiver"]


@pytest.mark.usefixtures("partner")
def test_the_partner_gets_in_with_everything(place: Installation, partners: Authority) -> None:
    shown = client_context(partners.client(NAME))
    status, body = send(place.pods.receiver(), shown)
    assert status == 200
    assert body.startswith(b'{"ok":true,"id":"evt_')


@pytest.mark.usefixtures("partner")
def test_the_partner_does_not_get_in_with_less(place: Installation, partners: Authority) -> None:
    pod = place.pods.receiver()
    right = client_context(partners.client(NAME))
    attempts: dict[str, tuple[int, bytes]] = {
        "no certificate": send(pod, client_context()),
        "no TLS": send(pod, None),
        "another subject": send(pod, client_context(partners.client("erp.other.example"))),
        "another authority": send(pod, client_context(Authority("partners").client(NAME))),
        "another signature": send(pod, right, **signed(b"wrong")),
        "another key": send(pod, right, **{"X-API-Key": "wrong"}),
    }
    assert {name: status for name, (status, _) in attempts.items()} == dict.fromkeys(attempts, 401)


@pytest.mark.usefixtures("partner")
def test_refusals_are_seen_in_the_status(place: Installation) -> None:
    send(place.pods.receiver(), client_context())

    def told(found: Object) -> bool:
        last = found["status"].get("requests", {}).get("lastRejected", {})
        return bool(last.get("reason") == "ClientCertificateMismatch")

    found = place.kubectl.until("whe", "partner-erp", told, 150)
    requests = found["status"]["requests"]
    assert requests["lastRejected"]["message"].startswith(f"{NONE_SHOWN}, from ")
    assert requests["rejectedByReason"]["ClientCertificateMismatch"] >= 1


@pytest.mark.usefixtures("gateway")
def test_no_tenant_may_refer_to_the_gateways_certificate(place: Installation) -> None:
    key = {"secretKeyRef": {"name": CERTIFICATE, "key": "tls.key"}}
    place.kubectl.apply(endpoint("thief", provider="GitHub", verification={"keys": [key]}))

    def refused(found: Object) -> bool:
        return condition(found, "SecretsResolved").get("reason") == Reason.SECRET_NOT_ALLOWED.value

    place.kubectl.until("whe", "thief", refused)


@pytest.mark.usefixtures("partner")
def test_a_renewed_certificate_is_shown_without_a_rollout(place: Installation) -> None:
    pod = place.pods.receiver()
    with socket.create_connection(("127.0.0.1", pod.tls)) as plain:
        kept = client_context().wrap_socket(plain, server_hostname="localhost")
        renewed = server_pair()
        place.kubectl.apply(tls_secret(CERTIFICATE, renewed))
        place.pods.refresh("receiver")
        until(
            lambda: _shown_by(pod) == ssl.PEM_cert_to_DER_cert(renewed.certificate.decode()), "it"
        )
        kept.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert kept.recv(1000).startswith(b"HTTP/1.1 404")
        kept.close()
    assert place.pods.receiver() is pod


def _shown_by(pod: Pod) -> Any:
    with (
        socket.create_connection(("127.0.0.1", pod.tls)) as plain,
        client_context().wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        return wrapped.getpeercert(True)
