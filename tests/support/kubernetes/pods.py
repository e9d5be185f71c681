"""Processes in place of pods.

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
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.cluster.ports import free_port
from support.kubernetes.kubectl import Kubectl
from support.kubernetes.operator import PATIENCE, answers_ready


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
    look_seconds: float = 0.3
    """How often it looks at Deployments."""
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
        while not self._stop.wait(self.look_seconds):
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
        environment |= {
            "HOOKPLANE_LISTEN": f"{_host(container)}:{port}",
            "HOOKPLANE_HEALTH": f"127.0.0.1:{health}",
        }
        if "HOOKPLANE_RECEIVER_URL" in environment:
            environment["HOOKPLANE_RECEIVER_URL"] = next((x.url for x in self.of("receiver")), "")
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


def _host(container: dict[str, Any]) -> str:
    """Where it listens; a console where its template says, since that is what keeps others out."""
    if container["args"] != ["console"]:
        return "127.0.0.1"
    [listen] = [x["value"] for x in container["env"] if x["name"] == "HOOKPLANE_LISTEN"]
    return str(listen).rpartition(":")[0]


def _end(pod: Pod) -> None:
    if pod.process.poll() is None:
        pod.process.send_signal(signal.SIGKILL)
        pod.process.wait()
