"""The chart in a cluster with real pods, with the bundled PostgreSQL, as a platform team has it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from helm_python import Chart, Config

from support.clocks.blocking import until
from support.kubernetes.control_plane import ROOT
from support.kubernetes.kubectl import Kubectl, is_ready
from support.kubernetes.manifests import Object
from support.node.real import Cluster

CHART: Final = ROOT / "charts" / "hookplane"
SYSTEM: Final = "hookplane-system"
RELEASE: Final = "hookplane"
PATIENCE: Final = 180.0
RESTRICTED: Final = "pod-security.kubernetes.io/enforce=restricted"


@dataclass
class Release:
    """The chart, installed with the bundled PostgreSQL."""

    cluster: Cluster
    values: Object
    kubectl: Kubectl
    _helm: Config
    _installed: float = 0.0

    def install(self) -> None:
        self._helm.install(Chart.load(CHART), RELEASE, self.values, namespace=SYSTEM)
        self._installed = time.monotonic()

    def age(self) -> float:
        """Seconds since `helm install` returned."""
        return time.monotonic() - self._installed

    def upgrade(self, **more: Any) -> None:
        """With `more` in place of values of the first level; waits for all rollouts."""
        self.values |= more
        self._helm.upgrade(Chart.load(CHART), RELEASE, self.values, namespace=SYSTEM)
        self.settle()

    def settle(self) -> None:
        """All that is to run runs, and the gateway says so."""
        self.kubectl.run("rollout", "status", "deployment/hookplane-operator", "--timeout=180s")
        self.kubectl.until("whg", "default", is_ready, PATIENCE)
        until(self._rolled_out, "rollouts of the data plane", PATIENCE)
        self.kubectl.until("whg", "default", is_ready, PATIENCE)

    def _rolled_out(self) -> bool:
        image = image_of(self.values)
        return all(
            x["spec"]["template"]["spec"]["containers"][0]["image"] == image and _is_rolled_out(x)
            for x in self.kubectl.list("deployments")
        )

    def pods(self, role: str) -> list[str]:
        """Names of those that are not on their way out."""
        found = self.kubectl.list("pods", "-l", f"app.kubernetes.io/component={role}")
        return [x["metadata"]["name"] for x in found if "deletionTimestamp" not in x["metadata"]]

    def describe(self) -> str:
        """For when something failed: what there is, what happened, and the last words of all."""
        parts = [
            self.kubectl.run("get", "webhooks,pods", "-A", "-o", "wide"),
            self.kubectl.run("get", "events", "-A", "--sort-by=.lastTimestamp")[-6000:],
            self.cluster.describe(),
        ]
        for name in self.kubectl.run("get", "pods", "-o", "name").split():
            said = self.kubectl.attempt("logs", name, "--tail=25", "--all-containers")
            parts.append(f"--- {name}\n{said.stdout}{said.stderr}")
        return "\n".join(parts)

    def every_pod(self) -> list[Object]:
        return [x for x in self.kubectl.list("pods") if x["status"].get("phase") == "Running"]


@contextmanager
def installed(cluster: Cluster) -> Iterator[Release]:
    """A release in a namespace that admits only what is harmless; it is not yet installed."""
    kubectl = cluster.kubectl(SYSTEM)
    kubectl.run("create", "namespace", SYSTEM)
    kubectl.run("label", "namespace", SYSTEM, RESTRICTED)
    config = Config(kubeconfig_path=cluster.kubeconfig, namespace=SYSTEM)
    try:
        yield Release(cluster, _values(cluster), kubectl, config)
    finally:
        config.close()


def _values(cluster: Cluster) -> Object:
    return {
        "image": _image(cluster.hookplane),
        "postgresql": {"bundled": {"enabled": True, "image": cluster.postgresql}},
        "defaultGateway": {"spec": gateway(receivers=2)},
    }


def gateway(receivers: int, dispatchers: int = 2) -> Object:
    """Spec of the default gateway, which allows no private ranges: subscribers are Services of
    their namespaces."""
    return {
        "allowedNamespaces": {"from": "All"},
        "console": {"enabled": True},
        "receiver": {"replicas": receivers, "resources": {"requests": {"cpu": "50m"}}},
        "dispatcher": {
            "replicas": dispatchers,
            "resources": {"requests": {"cpu": "50m"}},
        },
    }


def _image(name: str) -> Object:
    repository, _, tag = name.rpartition(":")
    return {"repository": repository, "tag": tag}


def other_image(name: str) -> Object:
    """Values for an upgrade to this image."""
    return {"image": _image(name)}


def image_of(values: Object) -> str:
    return f"{values['image']['repository']}:{values['image']['tag']}"


def is_failing(found: Object) -> bool:
    """In force, and its target does not take what it is sent."""
    return is_ready(found) and found["status"].get("state") in ("Failing", "CircuitOpen")


def _is_rolled_out(deployment: Object) -> bool:
    status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
    seen = status.get("observedGeneration") == deployment["metadata"]["generation"]
    counts = {status.get(x) for x in ("replicas", "updatedReplicas", "availableReplicas")}
    return seen and (counts == {wanted} or (wanted == 0 and counts == {None}))
