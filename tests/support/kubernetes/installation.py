"""A namespace with an operator, a gateway, its pods and a database, against a real API server."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.clocks.blocking import until
from support.kubernetes.audit import Entry, requested
from support.kubernetes.control_plane import ControlPlane, shared_control_plane
from support.kubernetes.kubectl import Kubectl
from support.kubernetes.manifests import made, secret
from support.kubernetes.operator import OperatorProcess
from support.kubernetes.pods import Pods
from support.postgres.server import PostgresServer, require_binaries


def reachable_address() -> str:
    """An address of this machine that is not loopback, which targets are never on."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe,
        contextlib.suppress(OSError),
    ):
        probe.connect(("198.51.100.1", 9))  # nothing is sent
        found = str(probe.getsockname()[0])
        if not found.startswith("127."):
            return found
    address = "192.0.2.77"
    subprocess.run(["ip", "address", "replace", f"{address}/32", "dev", "lo"], check=True)
    return address


@dataclass
class Installation:
    """A namespace with an operator, a gateway's pods, and a database of their own."""

    plane: ControlPlane
    kubectl: Kubectl
    """In the operator's namespace, with every right."""
    operator: OperatorProcess
    pods: Pods
    database: PostgresServer
    settings: dict[str, Any]
    folder: Path
    kubeconfig: Path
    """Of the operator."""

    @property
    def namespace(self) -> str:
        return self.kubectl.namespace

    def sql(self, statement: str) -> str:
        """What PostgreSQL says to it."""
        dsn = self.database.dsn("postgres")
        return self.database.run("psql", "-X", "-A", "-t", "-d", dsn, "-c", statement).strip()

    def gateway(self, name: str, **spec: Any) -> list[dict[str, Any]]:
        """The objects of one more gateway, with a database of its own, which is made here."""
        if name not in self.sql("select datname from pg_database").split():
            self.sql(f"create database {name}")
        dsn = {"secretKeyRef": {"name": f"database-{name}", "key": "dsn"}}
        whole = gateway_spec(reachable_address()) | {"store": {"postgresql": {"dsn": dsn}}} | spec
        database = secret(f"database-{name}", dsn=self.database.dsn(name))
        return [database, made("WebhookGateway", name, whole)]

    def settle(self) -> None:
        """Until nothing is left to be told, and nothing has been for a while."""
        quiet_since = [time.monotonic()]

        def is_quiet() -> bool:
            if not self.operator.is_at_work():
                quiet_since[0] = time.monotonic()
            return time.monotonic() - quiet_since[0] > 4

        until(is_quiet, "peace", 120)

    def writes(self, mark: int) -> list[Entry]:
        """What operators asked to write in this namespace since then: the Lease, Events and what
        was refused too."""
        return requested(self.plane.audited()[mark:], self.namespace)

    def another(self, name: str, kubeconfig: Path | None = None) -> OperatorProcess:
        """One more replica."""
        own = kubeconfig or self.kubeconfig
        return OperatorProcess(own, self.namespace, self.settings, self.folder, name)


def gateway_spec(address: str) -> dict[str, Any]:
    return {
        "publicURL": "https://hooks.example.com",
        "allowedNamespaces": {"from": "Same"},
        "store": {
            "postgresql": {"dsn": {"secretKeyRef": {"name": "database", "key": "dsn"}}},
        },
        "dispatcher": {"egress": {"allowedCIDRs": [f"{address}/32"]}},
    }


@contextmanager
def installation(
    folder: Path,
    plane: ControlPlane | None = None,
    name: str = "",
    kubeconfig: Path | None = None,
    **more: Any,
) -> Iterator[Installation]:
    """Everything running; `name`: of its namespace; `kubeconfig`: of the operator, with every right
    unless given; `more`: further settings of it."""
    plane = plane or shared_control_plane()
    name = name or f"t-{os.urandom(4).hex()}"
    Kubectl(plane.admin).run("create", "namespace", name)
    kubectl = Kubectl(plane.admin, name)
    database = PostgresServer(require_binaries()).create().start()
    kubectl.apply(secret("database", dsn=database.dsn("postgres")))
    settings = {
        "image": "hookplane:test",
        "watchNamespaces": [name],
        "defaultGateway": {"enabled": True, "spec": gateway_spec(reachable_address())},
    } | more
    own = kubeconfig or plane.admin
    operator = OperatorProcess(own, name, settings, folder)
    pods = Pods(kubectl, folder / "pods")
    whole = Installation(plane, kubectl, operator, pods, database, settings, folder, own)
    try:
        operator.start()
        pods.start()
        yield whole
    finally:
        whole.operator.kill()
        pods.stop()
        database.remove()
        kubectl.run("delete", "namespace", name, "--wait=false")
