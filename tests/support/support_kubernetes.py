"""A real API server: etcd, kube-apiserver and kube-controller-manager on loopback.

`scripts/test-components` builds them. One control plane serves all tests of a test process; each
test takes a namespace of its own.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sysconfig
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from support_pki import (
    Authority,
    Pair,
    client_user,
    kubeconfig,
    service_account_keys,
    write_pair,
)

ROOT: Final = Path(__file__).parents[2]
CRDS: Final = ROOT / "crds"
START_SECONDS: Final = 90.0
_AUDIT: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}
_PR_SET_PDEATHSIG: Final = 1


def components() -> Path | None:
    """The folder of the binaries; None: not built."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(cache_home) / "hookplane" / "components" / "bin"
    return folder if (folder / "kube-controller-manager").exists() else None


def require_components() -> Path:
    """Skips the test when they are not built, and fails it in CI."""
    folder = components()
    if folder is None:
        message = "kube-apiserver is not built; scripts/test-components builds it"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


class ControlPlane:
    """Its parts may be ended and started again; `folder` holds their logs."""

    def __init__(self, binaries: Path) -> None:
        self._bin = binaries
        self.folder = Path(tempfile.mkdtemp(prefix="hookplane-k8s-"))
        self._ports = dict(zip(("etcd", "peer", "api"), _free_ports(3), strict=True))
        self._authority = Authority("test-ca")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.admin = self.folder / "admin.kubeconfig"
        self.audit = self.folder / "audit.log"
        self._write_files()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._ports['api']}"

    def start(self) -> ControlPlane:
        self.start_etcd()
        self.start_api()
        self._spawn("controller-manager", "kube-controller-manager", self._manager_arguments())
        return self

    def start_etcd(self) -> None:
        self._spawn("etcd", "server", self._etcd_arguments())

    def start_api(self) -> None:
        """Returns when it is ready."""
        self._spawn("api", "kube-apiserver", self._api_arguments())
        end = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if self._processes["api"].poll() is not None or time.monotonic() > end:
                raise RuntimeError((self.folder / "api.log").read_text()[-3000:])
            time.sleep(0.05)

    def is_ready(self) -> bool:
        context = ssl.create_default_context(cadata=self._authority.certificate.decode())
        context.load_cert_chain(self.folder / "admin.crt", self.folder / "admin.key")
        with (
            suppress(OSError),
            urllib.request.urlopen(f"{self.url}/readyz", context=context, timeout=2) as answer,  # noqa: S310
        ):
            return bool(answer.status == 200)
        return False

    def kill(self, part: str) -> None:
        """`etcd`, `api` or `controller-manager`, at once and for good unless started again."""
        process = self._processes.pop(part)
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()

    def signal(self, part: str, sent: signal.Signals) -> None:
        self._processes[part].send_signal(sent)

    def stop(self) -> None:
        for part in ("controller-manager", "api", "etcd"):
            if part in self._processes:
                self.kill(part)
        shutil.rmtree(self.folder, ignore_errors=True)

    def kubeconfig_for(self, token: str, name: str = "token") -> Path:
        """For a service account."""
        path = self.folder / f"{name}-{secrets.token_hex(4)}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(kubeconfig(self.url, self._authority.certificate, {"token": token}))
        return path

    def audited(self) -> list[dict[str, Any]]:
        """Every request that was answered so far."""
        lines = self.audit.read_text().splitlines() if self.audit.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    # --------------------------------------------------------------------------------------------

    def _write_files(self) -> None:
        (self.folder / "ca.crt").write_bytes(self._authority.certificate)
        own = self._authority.server(
            "kube-apiserver",
            ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"),
            ("127.0.0.1", "10.96.0.1"),
        )
        write_pair(self.folder, "apiserver", own)
        write_pair(self.folder, "sa", service_account_keys())
        self._user("admin", self._authority.client("test-admin", "system:masters"))
        self._user("manager", self._authority.client("system:kube-controller-manager"))
        (self.folder / "audit.yaml").write_text(yaml.safe_dump(_AUDIT))

    def _user(self, name: str, pair: Pair) -> None:
        write_pair(self.folder, name, pair)
        path = self.folder / f"{name}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(kubeconfig(self.url, self._authority.certificate, client_user(pair)))

    def _etcd_arguments(self) -> list[str]:
        clients, peers = (f"http://127.0.0.1:{self._ports[x]}" for x in ("etcd", "peer"))
        return [
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={clients}",
            f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _api_arguments(self) -> list[str]:
        at = self.folder
        return [
            f"--etcd-servers=http://127.0.0.1:{self._ports['etcd']}",
            "--bind-address=127.0.0.1",
            "--advertise-address=192.0.2.2",
            f"--secure-port={self._ports['api']}",
            f"--tls-cert-file={at / 'apiserver.crt'}",
            f"--tls-private-key-file={at / 'apiserver.key'}",
            f"--client-ca-file={at / 'ca.crt'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={at / 'sa.crt'}",
            f"--service-account-signing-key-file={at / 'sa.key'}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=Node,RBAC",
            "--endpoint-reconciler-type=none",
            "--profiling=false",
            f"--audit-log-path={self.audit}",
            f"--audit-policy-file={at / 'audit.yaml'}",
            "--audit-log-mode=blocking",
        ]

    def _manager_arguments(self) -> list[str]:
        own = self.folder / "manager.kubeconfig"
        return [
            f"--kubeconfig={own}",
            f"--authentication-kubeconfig={own}",
            f"--authorization-kubeconfig={own}",
            f"--service-account-private-key-file={self.folder / 'sa.key'}",
            f"--root-ca-file={self.folder / 'ca.crt'}",
            "--use-service-account-credentials=true",
            "--secure-port=0",
            "--leader-elect=false",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            "--concurrent-gc-syncs=5",
        ]

    def _spawn(self, part: str, binary: str, arguments: Sequence[str]) -> None:
        with (self.folder / f"{part}.log").open("ab") as log:
            self._processes[part] = subprocess.Popen(
                [self._bin / binary, *arguments],
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - nothing else of this process runs
            )


@cache
def shared_control_plane() -> ControlPlane:
    """One for this test process, with our CRDs; ended with it."""
    plane = ControlPlane(require_components())
    atexit.register(plane.stop)
    plane.start()
    kubectl = Kubectl(plane.admin)
    kubectl.run("apply", "--server-side", "-f", str(CRDS))
    kubectl.run("wait", "--for=condition=Established", "--timeout=30s", "-f", str(CRDS))
    return plane


@dataclass
class Kubectl:
    """kubectl with a kubeconfig and a namespace."""

    config: Path
    namespace: str = "default"
    warnings: list[str] = field(default_factory=list)
    """Lines on standard error of all that succeeded."""

    def run(self, *arguments: str, given: str | None = None) -> str:
        """What it prints. Raises AssertionError with its words when it fails."""
        done = self.attempt(*arguments, given=given)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        self.warnings += [line for line in done.stderr.splitlines() if line.strip()]
        return done.stdout

    def attempt(
        self, *arguments: str, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [kubectl_binary(), "--kubeconfig", self.config, "-n", self.namespace, *arguments],
            check=False,
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            env={"PATH": os.environ["PATH"], "HOME": str(self.config.parent)},
        )

    def apply(self, *objects: dict[str, Any]) -> str:
        return self.run("apply", "-f", "-", given=yaml.safe_dump_all(objects))

    def refused(self, *objects: dict[str, Any]) -> str:
        """The words in which the API server refuses to take these."""
        done = self.attempt("apply", "-f", "-", given=yaml.safe_dump_all(objects))
        assert done.returncode != 0, f"accepted: {done.stdout}"
        return done.stderr

    def get(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("get", kind, name, "-o", "json"))
        return found

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        text = self.run("get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else None

    def list(self, kind: str, *options: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run("get", kind, "-o", "json", *options))[
            "items"
        ]
        return found

    def until(
        self, kind: str, name: str, holds: Callable[[dict[str, Any]], bool], seconds: float = 60
    ) -> dict[str, Any]:
        """The object, as soon as it is there and `holds`."""
        end = time.monotonic() + seconds
        while True:
            found = self.find(kind, name)
            if found is not None and holds(found):
                return found
            if time.monotonic() > end:
                raise AssertionError(f"{kind} {name}: {json.dumps(found, indent=1)}")
            time.sleep(0.1)


@cache
def kubectl_binary() -> str:
    """That of the Python package, or one of the machine."""
    packaged = Path(sysconfig.get_path("scripts")) / "kubectl"
    found = str(packaged) if packaged.exists() else shutil.which("kubectl")
    assert found, "kubectl is not installed"
    return found


def namespace(plane: ControlPlane) -> Iterator[Kubectl]:
    """A namespace that is new, for a fixture."""
    name = f"t-{secrets.token_hex(4)}"
    kubectl = Kubectl(plane.admin)
    kubectl.run("create", "namespace", name)
    yield Kubectl(plane.admin, name)
    kubectl.run("delete", "namespace", name, "--wait=false")


def condition(found: dict[str, Any], wanted: str) -> dict[str, Any]:
    """That condition of an object; empty when it has none."""
    conditions = found.get("status", {}).get("conditions", [])
    return next((x for x in conditions if x["type"] == wanted), {})


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
