"""An application team's namespace in a cluster with real pods."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from support.kubernetes.control_plane import ROOT
from support.kubernetes.kubectl import Kubectl, is_ready
from support.kubernetes.manifests import Object, endpoint, made
from support.node.real import Cluster
from support.node.release import PATIENCE, RESTRICTED, SYSTEM

PODS: Final = ROOT / "tests" / "node" / "pods"
RECEIVER: Final = f"http://default-receiver.{SYSTEM}.svc.cluster.local"


@dataclass
class Tenant:
    """An application team's namespace, in which only harmless pods may run."""

    cluster: Cluster
    name: str
    kubectl: Kubectl = field(init=False)

    def __post_init__(self) -> None:
        self.kubectl = self.cluster.kubectl(self.name)

    def create(self) -> Tenant:
        self.kubectl.run("create", "namespace", self.name)
        self.kubectl.run("label", "namespace", self.name, RESTRICTED)
        files = [f"--from-file={x.name}={x}" for x in PODS.glob("*.py")]
        self.kubectl.run("create", "configmap", "programs", *files)
        return self

    def delete(self) -> None:
        self.kubectl.run("delete", "namespace", self.name, "--wait=false", "--ignore-not-found")

    def run_subscriber(self, name: str = "subscriber") -> None:
        """A pod with a Service of its name, at port 8080."""
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"port": 8080}]},
        }
        self.kubectl.apply(service, self._pod(name, "subscriber.py", {}, []))
        self.await_pod(name)

    def run_sender(self, target: str, key_secret: str, name: str = "sender") -> None:
        """One that signs with the key `key` of a Secret."""
        environment = {"URL": f"{RECEIVER}/{self.name}/{target}", "KEY_FILE": "/key/key"}
        volume = {"name": "key", "secret": {"secretName": key_secret}}
        self.kubectl.apply(self._pod(name, "sender.py", environment, [volume]))
        self.await_pod(name)

    def await_pod(self, name: str) -> None:
        self.kubectl.run("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=120s")

    def ask(self, pod: str, path: str) -> Any:
        """What a pod of ours answers, by way of the API server."""
        proxied = f"/api/v1/namespaces/{self.name}/pods/{pod}:8080/proxy/-/{path}"
        return json.loads(self.kubectl.run("get", "--raw", proxied))

    def flow(self, **delivery: Any) -> None:
        """An endpoint `orders` that delivers to the subscriber, and both in force."""
        self.kubectl.apply(endpoint("orders"), self.shop(delivery=delivery))
        self.await_ready("whe", "orders")
        self.await_ready("whs", "shop")

    @staticmethod
    def shop(**spec: Any) -> Object:
        """A subscription of `orders` that goes to the subscriber."""
        target = {"serviceRef": {"name": "subscriber", "port": 8080, "path": "/orders"}}
        refs = [{"name": "orders"}]
        return made("WebhookSubscription", "shop", {"endpointRefs": refs, "target": target} | spec)

    def await_ready(self, kind: str, name: str) -> Object:
        return self.kubectl.until(kind, name, is_ready, PATIENCE)

    def state(self, name: str, wanted: str) -> Object:
        """The subscription, once its state is this."""
        return self.kubectl.until(
            "whs", name, lambda x: x.get("status", {}).get("state") == wanted, PATIENCE
        )

    def _pod(
        self, name: str, program: str, environment: dict[str, str], volumes: list[Object]
    ) -> Object:
        mounts = [{"name": "programs", "mountPath": "/programs"}]
        mounts += [{"name": x["name"], "mountPath": f"/{x['name']}"} for x in volumes]
        container = {
            "name": "main",
            "image": self.cluster.hookplane,
            "command": ["python", f"/programs/{program}"],
            "env": [{"name": key, "value": value} for key, value in environment.items()],
            "volumeMounts": mounts,
            "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            },
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {
                "automountServiceAccountToken": False,
                "securityContext": {
                    "runAsNonRoot": True,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "terminationGracePeriodSeconds": 0,
                "containers": [container],
                "volumes": [{"name": "programs", "configMap": {"name": "programs"}}, *volumes],
            },
        }


@contextmanager
def tenant(cluster: Cluster, prefix: str = "tenant") -> Iterator[Tenant]:
    """A namespace that is new."""
    new = Tenant(cluster, f"{prefix}-{secrets.token_hex(3)}").create()
    try:
        yield new
    finally:
        new.delete()
