"""The operator as a real process against a real API server, and processes in place of pods.

A pod is played by starting what its template says: the same arguments and environment, its volumes
as folders, its ports as free ones of this machine. Readiness is what the API server would hear of
it by way of the store; nothing here writes the status of a Deployment.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from support.clocks.blocking import until
from support.cluster.ports import free_port
from support.kubernetes.audit import Entry, requested
from support.kubernetes.control_plane import ControlPlane, Kubectl, shared_control_plane
from support.postgres.server import PostgresServer, require_binaries

PATIENCE = 60.0


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


class OperatorProcess:
    """One replica of the operator."""

    def __init__(
        self,
        kubeconfig: Path,
        namespace: str,
        settings: dict[str, Any],
        folder: Path,
        name: str = "operator-0",
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.health = free_port()
        file = folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(settings))
        own = {k: v for k, v in os.environ.items() if "HOOKPLANE" not in k and "KUBE" not in k}
        self._environment = {
            **own,
            "KUBECONFIG": str(kubeconfig),
            "HOOKPLANE_OPERATOR_SETTINGS_FILE": str(file),
            "HOOKPLANE_NAMESPACE": namespace,
            "HOOKPLANE_INSTANCE": name,
            "HOOKPLANE_HEALTH": f"127.0.0.1:{self.health}",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> OperatorProcess:
        """Returns when its caches are filled."""
        self.spawn()
        end = time.monotonic() + PATIENCE
        while not answers_ready(self.health):
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the operator is not ready: {self.output()[-5000:]}")
            time.sleep(0.05)
        return self

    def spawn(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hookplane_cli", "operator"],
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(PATIENCE)

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def leads(self) -> bool:
        return self.metrics()["hookplane_operator_leader"] == 1.0

    def is_at_work(self) -> bool:
        """It leads and has told everything."""
        return self.leads() and self.metrics()["hookplane_operator_status_waiting"] == 0

    def unanswered(self) -> float:
        """Requests to the API server that got no answer so far."""
        calls = ((k, v) for k, v in self.metrics().items() if "_api_calls_total" in k)
        return sum(v for k, v in calls if 'code="0"' in k)

    def metrics(self) -> dict[str, float]:
        """Sample → value."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        pairs = [line.rsplit(" ", 1) for line in lines if line and not line.startswith("#")]
        return {name: float(value) for name, value in pairs}


@dataclass
class Pod:
    """A process that plays one."""

    name: str
    role: str
    template: str
    """Of what it was started, to notice a rollout."""
    port: int
    health: int
    process: subprocess.Popen[bytes]
    log: Path
    tls: int
    """Port where TLS ends, if its template says so."""
    secrets: dict[Path, dict[str, Any]]
    """Folder → the Secret that is mounted there."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Pods:
    """Plays the kubelet and the scheduler for one namespace."""

    kubectl: Kubectl
    folder: Path
    skip: frozenset[str] = frozenset()
    """Deployments that somebody else plays."""
    pods: dict[str, Pod] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> Pods:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        for pod in list(self.pods.values()):
            _end(pod)

    def of(self, role: str) -> list[Pod]:
        return [x for x in self.pods.values() if x.role == role]

    def receiver(self) -> Pod:
        """One that is ready."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for pod in self.of("receiver"):
                if answers_ready(pod.health):
                    return pod
            time.sleep(0.05)
        raise AssertionError(f"no receiver is ready: {self.output()}")

    def refresh(self, role: str) -> None:
        """What the kubelet does after a mounted Secret changed."""
        for pod in self.of(role):
            for folder, source in pod.secrets.items():
                self._write_secret(folder, source)

    def output(self) -> str:
        return "\n".join(x.log.read_text(errors="replace")[-2000:] for x in self.pods.values())

    def _run(self) -> None:
        while not self._stop.wait(0.3):
            with contextlib.suppress(AssertionError, subprocess.SubprocessError):
                self._round()

    def _round(self) -> None:
        wanted: dict[str, dict[str, Any]] = {}
        for deployment in self.kubectl.list("deployments"):
            if deployment["metadata"]["name"] in self.skip:
                continue
            for number in range(deployment["spec"].get("replicas", 1)):
                wanted[f"{deployment['metadata']['name']}-{number}"] = deployment
        for name in self.pods.keys() - wanted.keys():
            _end(self.pods.pop(name))
        for name, deployment in wanted.items():
            template = json.dumps(deployment["spec"]["template"], sort_keys=True)
            running = self.pods.get(name)
            if running and running.template == template and running.process.poll() is None:
                continue
            if running:
                _end(running)
            self.pods[name] = self._spawn(name, deployment, template)

    def _spawn(self, name: str, deployment: dict[str, Any], template: str) -> Pod:
        spec = deployment["spec"]["template"]["spec"]
        container = spec["containers"][0]
        home = self.folder / name
        mounted = {x["name"]: x["mountPath"] for x in container["volumeMounts"]}
        places: dict[str, str] = {}
        secrets: dict[Path, dict[str, Any]] = {}
        for volume in spec["volumes"]:
            own = home / volume["name"]
            own.mkdir(parents=True, exist_ok=True)
            places[mounted[volume["name"]]] = str(own)
            if "secret" in volume:
                secrets[own] = volume["secret"]
                self._write_secret(own, volume["secret"])
        port, health, tls = free_port(), free_port(), free_port()
        environment = self._environment(name, container, places)
        if container["args"] == ["console"]:
            health = port
        environment |= {
            "HOOKPLANE_LISTEN": f"127.0.0.1:{port}",
            "HOOKPLANE_HEALTH": f"127.0.0.1:{health}",
        }
        if "HOOKPLANE_TLS_LISTEN" in environment:
            environment["HOOKPLANE_TLS_LISTEN"] = f"127.0.0.1:{tls}"
        log = home / "log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "hookplane_cli", *container["args"]],
                env=environment,
                stdout=output,
                stderr=output,
            )
        role = container["args"][0]
        return Pod(name, role, template, port, health, process, log, tls, secrets)

    def _write_secret(self, folder: Path, source: dict[str, Any]) -> None:
        data = self.kubectl.get("secret", source["secretName"])["data"]
        for item in source["items"]:
            (folder / item["path"]).write_bytes(base64.b64decode(data[item["key"]]))

    @staticmethod
    def _environment(
        name: str, container: dict[str, Any], places: dict[str, str]
    ) -> dict[str, str]:
        own = {k: v for k, v in os.environ.items() if "HOOKPLANE" not in k and "KUBE" not in k}
        for entry in container["env"]:
            value = entry.get("value", name)
            inside = next((x for x in places if value.startswith(x)), None)
            own[entry["name"]] = places[inside] + value[len(inside) :] if inside else value
        return own


def answers_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _end(pod: Pod) -> None:
    if pod.process.poll() is None:
        pod.process.send_signal(signal.SIGKILL)
        pod.process.wait()


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
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "database"},
        "stringData": {"dsn": database.dsn("postgres")},
    }
    kubectl.apply(secret)
    settings = {
        "image": "hookplane:test",
        "watchNamespaces": [name],
        "defaultGateway": {"enabled": True, "spec": gateway_spec(reachable_address())},
    } | more
    own = kubeconfig or plane.admin
    operator = OperatorProcess(own, name, settings, folder)
    pods = Pods(kubectl, folder / "pods")
    made = Installation(plane, kubectl, operator, pods, database, settings, folder, own)
    try:
        operator.start()
        pods.start()
        yield made
    finally:
        made.operator.kill()
        pods.stop()
        database.remove()
        kubectl.run("delete", "namespace", name, "--wait=false")
