"""A cluster with real pods.

By default it is a node that the test makes itself. With HOOKPLANE_E2E_KUBECONFIG it is one that is
there already, such as one of kind; the images named below must be in it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import support.node.images
import support.node.node
from support.cluster.missing import left_out
from support.cluster.ports import free_port
from support.kubernetes.control_plane import require_components
from support.kubernetes.kubectl import Kubectl
from support.node.images import HOOKPLANE, NEXT, POSTGRESQL, make_images

_KUBECONFIG: Final = "HOOKPLANE_E2E_KUBECONFIG"
_CONTAINER: Final = "HOOKPLANE_E2E_KIND_NODE"
"""The container that is the node, where kind made it."""


@dataclass(frozen=True)
class Cluster:
    """One with our images in it."""

    kubeconfig: Path
    hookplane: str
    next: str
    postgresql: str
    restart_runtime: Callable[[], None]
    describe: Callable[[], str]

    def kubectl(self, namespace: str) -> Kubectl:
        return Kubectl(self.kubeconfig, namespace)


@contextmanager
def real_cluster() -> Iterator[Cluster]:
    """The one that is named, or a node of our own."""
    given = os.environ.get(_KUBECONFIG)
    if given:
        yield _given_cluster(Path(given))
        return
    binaries = require_node()
    node = support.node.node.Node(binaries)
    try:
        node.start(make_images(binaries).all())
        yield Cluster(
            node.plane.admin, HOOKPLANE, NEXT, POSTGRESQL, node.restart_runtime, node.describe
        )
    finally:
        node.stop()


def require_node() -> Path:
    """The folder of its binaries. Skips the test when something is missing, and fails it in CI."""
    binaries = require_components()
    lacking = support.node.node.missing(binaries) + support.node.images.missing()
    if lacking:
        left_out(f"a node needs {', '.join(lacking)}; scripts/test-tools and test-components help")
    return binaries


def _given_cluster(kubeconfig: Path) -> Cluster:
    def restart() -> None:
        node = os.environ[_CONTAINER]
        command = ["docker", "exec", node, "systemctl", "restart", "containerd"]
        subprocess.run(command, check=True)

    official = os.environ.get("HOOKPLANE_E2E_POSTGRESQL", POSTGRESQL)
    return Cluster(kubeconfig, HOOKPLANE, NEXT, official, restart, lambda: "")


@contextmanager
def forwarded(kubectl: Kubectl, target: str, port: int) -> Iterator[str]:
    """The URL at which a Service or pod can be reached from here."""
    local = free_port()
    with subprocess.Popen(
        [*kubectl.command, "port-forward", target, f"{local}:{port}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else b""
            assert b"Forwarding" in line, line
            yield f"http://127.0.0.1:{local}"
        finally:
            process.kill()
