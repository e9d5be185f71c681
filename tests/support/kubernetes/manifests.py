"""Objects of ours in few words, and signed requests for them."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from hookplane.kinds.base import API_VERSION
from support.cluster.processes import signed
from support.kubernetes.kubectl import Kubectl
from support.kubernetes.pki import Pair
from support.kubernetes.pods import Pods

Object = dict[str, Any]


def made(kind: str, name: str, spec: Object, **metadata: Any) -> Object:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, **metadata},
        "spec": spec,
    }


def endpoint(name: str, *, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    return made("WebhookEndpoint", name, spec, labels=labels or {})


def subscription(name: str, endpoints: list[str], url: str, **spec: Any) -> Object:
    refs = [{"name": x} for x in endpoints]
    return made("WebhookSubscription", name, {"endpointRefs": refs, "target": {"url": url}} | spec)


def service(name: str) -> Object:
    """Headless, so that it takes no address of the cluster's range."""
    spec = {"clusterIP": "None", "ports": [{"port": 80}], "selector": {"app": name}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def secret(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def tls_secret(name: str, pair: Pair) -> Object:
    values = {"tls.crt": pair.certificate.decode(), "tls.key": pair.key.decode()}
    return secret(name, **values) | {"type": "kubernetes.io/tls"}


def key_of(kubectl: Kubectl, name: str, key: str = "key") -> str:
    """A value of a Secret."""
    return base64.b64decode(kubectl.get("secret", name)["data"][key]).decode()


def post(kubectl: Kubectl, pods: Pods, name: str, event: str, **body: Any) -> int:
    """A request signed with the endpoint's generated key; the status of the answer."""
    return Sender.of(kubectl, pods, name).post(event, **body)


@dataclass(frozen=True)
class Sender:
    """A provider: it knows its key and its URL, and needs no API server."""

    url: str
    key: str

    @classmethod
    def of(cls, kubectl: Kubectl, pods: Pods, name: str) -> Sender:
        """With the generated key of an endpoint, at a receiver that is ready."""
        key = key_of(kubectl, f"{name}-verification").removeprefix("whsec_")
        return cls(f"{pods.receiver().url}/{kubectl.namespace}/{name}", key)

    def post(self, event: str, **body: Any) -> int:
        """The status of the answer."""
        raw = json.dumps(body or {"type": "order.created"}).encode()
        headers = signed(event, raw, self.key) | {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url, data=raw, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
