"""A real API server: etcd, kube-apiserver and kube-controller-manager on loopback.

`scripts/test-components` builds them. One control plane serves all tests of a test process; each
test takes a namespace of its own.
"""

from __future__ import annotations

import atexit
import json
import secrets
import shutil
import signal
import ssl
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from support.cluster.cache import cache_folder
from support.cluster.keeper import Keeper
from support.cluster.missing import left_out
from support.cluster.ports import free_port
from support.kubernetes.kubectl import Kubectl
from support.kubernetes.pki import (
    NAMES,
    Authority,
    Pair,
    client_user,
    kubeconfig,
    service_account_keys,
    write_pair,
)

ROOT: Final = Path(__file__).parents[3]
CRDS: Final = ROOT / "crds"
START_SECONDS: Final = 90.0
_AUDIT: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


def components() -> Path | None:
    """The folder of the binaries; None: not built."""
    folder = cache_folder() / "components" / "bin"
    return folder if (folder / "kube-controller-manager").exists() else None


def require_components() -> Path:
    """Skips the test when they are not built, and fails it in CI."""
    folder = components()
    if folder is None:
        left_out("kube-apiserver is not built; scripts/test-components builds it")
    return folder


@dataclass(frozen=True)
class Site:
    """Where a control plane stands, and what differs there."""

    address: str = "127.0.0.1"
    ports: dict[str, int] = field(
        default_factory=lambda: {name: free_port() for name in ("etcd", "peer", "api")}
    )
    names: tuple[str, ...] = ()
    """More names of the API server."""
    services: str = "10.96.0.0/16"
    api: dict[str, str] = field(default_factory=dict)
    """Flags of the API server."""
    manager: dict[str, str] = field(default_factory=dict)
    """Flags of the controller manager."""


class ControlPlane:
    """Its parts may be ended and started again; `folder` holds their logs."""

    def __init__(
        self,
        binaries: Path,
        site: Site | None = None,
        folder: Path | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self._bin = binaries
        self.site = site or Site()
        self.folder = folder or Path(tempfile.mkdtemp(prefix="hookplane-k8s-"))
        self.authority = Authority("test-ca")
        self.keeper = keeper or Keeper(self.folder)
        self.admin = self.folder / "admin.kubeconfig"
        self.audit = self.folder / "audit.log"
        self._write_files()

    @property
    def url(self) -> str:
        return f"https://{self.site.address}:{self.site.ports['api']}"

    def start(self) -> ControlPlane:
        self.start_etcd()
        self.start_api()
        self.run("controller-manager", "kube-controller-manager", self._manager_flags())
        return self

    def start_etcd(self) -> None:
        self.run("etcd", "server", self._etcd_flags())

    def start_api(self) -> None:
        """Returns when it is ready."""
        self.run("api", "kube-apiserver", self._api_flags())
        end = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if self.keeper.has_ended("api") or time.monotonic() > end:
                raise RuntimeError(self.keeper.log("api")[-3000:])
            time.sleep(0.05)

    def is_ready(self) -> bool:
        context = ssl.create_default_context(cadata=self.authority.certificate.decode())
        context.load_cert_chain(self.folder / "admin.crt", self.folder / "admin.key")
        with (
            suppress(OSError),
            urllib.request.urlopen(f"{self.url}/readyz", context=context, timeout=2) as answer,  # noqa: S310
        ):
            return bool(answer.status == 200)
        return False

    def kill(self, part: str) -> None:
        """`etcd`, `api` or `controller-manager`, at once and for good unless started again."""
        self.keeper.kill(part)

    def signal(self, part: str, sent: signal.Signals) -> None:
        self.keeper.signal(part, sent)

    def stop(self) -> None:
        self.keeper.kill_all()
        shutil.rmtree(self.folder, ignore_errors=True)

    def user(self, name: str, pair: Pair) -> Path:
        """The kubeconfig of one who shows this certificate."""
        write_pair(self.folder, name, pair)
        return self._kubeconfig(name, client_user(pair))

    def kubeconfig_for(self, token: str, name: str = "token") -> Path:
        """For a service account."""
        return self._kubeconfig(f"{name}-{secrets.token_hex(4)}", {"token": token})

    def kubeconfig_of(self, user: str, group: str) -> Path:
        """For a user with a certificate."""
        return self.user(f"{user}-{secrets.token_hex(4)}", self.authority.client(user, group))

    def compact(self) -> None:
        """Makes etcd forget all history, which it does by itself after some minutes."""
        root = f"http://127.0.0.1:{self.site.ports['etcd']}/v3/kv"
        newest = _post(f"{root}/range", {"key": "AA=="})["header"]["revision"]
        _post(f"{root}/compaction", {"revision": newest, "physical": True})

    def audited(self) -> list[dict[str, Any]]:
        """Every request that was answered so far."""
        lines = self.audit.read_text().splitlines() if self.audit.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def run(self, part: str, binary: str, flags: dict[str, str]) -> None:
        """Starts one of the binaries under a name."""
        arguments = [f"--{name}={value}" for name, value in flags.items()]
        self.keeper.start(part, [self._bin / binary, *arguments])

    # --------------------------------------------------------------------------------------------

    def _write_files(self) -> None:
        (self.folder / "ca.crt").write_bytes(self.authority.certificate)
        own = self.authority.server(
            "kube-apiserver",
            (*NAMES, *self.site.names),
            sorted({"127.0.0.1", "10.96.0.1", self.site.address}),
        )
        write_pair(self.folder, "apiserver", own)
        write_pair(self.folder, "sa", service_account_keys())
        self.user("admin", self.authority.client("test-admin", "system:masters"))
        self.user("manager", self.authority.client("system:kube-controller-manager"))
        (self.folder / "audit.yaml").write_text(yaml.safe_dump(_AUDIT))

    def _kubeconfig(self, name: str, user: dict[str, Any]) -> Path:
        path = self.folder / f"{name}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(kubeconfig(self.url, self.authority.certificate, user))
        return path

    def _etcd_flags(self) -> dict[str, str]:
        clients, peers = (f"http://127.0.0.1:{self.site.ports[x]}" for x in ("etcd", "peer"))
        return {
            "data-dir": str(self.folder / "etcd"),
            "listen-client-urls": clients,
            "advertise-client-urls": clients,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"default={peers}",
            "unsafe-no-fsync": "true",
            "log-level": "warn",
        }

    def _api_flags(self) -> dict[str, str]:
        at = self.folder
        return {
            "etcd-servers": f"http://127.0.0.1:{self.site.ports['etcd']}",
            "bind-address": "127.0.0.1",
            "advertise-address": "192.0.2.2",
            "secure-port": str(self.site.ports["api"]),
            "tls-cert-file": f"{at / 'apiserver.crt'}",
            "tls-private-key-file": f"{at / 'apiserver.key'}",
            "client-ca-file": f"{at / 'ca.crt'}",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": f"{at / 'sa.crt'}",
            "service-account-signing-key-file": f"{at / 'sa.key'}",
            "service-cluster-ip-range": self.site.services,
            "authorization-mode": "Node,RBAC",
            "endpoint-reconciler-type": "none",
            "profiling": "false",
            "audit-log-path": str(self.audit),
            "audit-policy-file": f"{at / 'audit.yaml'}",
            "audit-log-mode": "blocking",
        } | self.site.api

    def _manager_flags(self) -> dict[str, str]:
        own = str(self.folder / "manager.kubeconfig")
        return {
            "kubeconfig": own,
            "authentication-kubeconfig": own,
            "authorization-kubeconfig": own,
            "service-account-private-key-file": f"{self.folder / 'sa.key'}",
            "root-ca-file": f"{self.folder / 'ca.crt'}",
            "use-service-account-credentials": "true",
            "secure-port": "0",
            "leader-elect": "false",
            "kube-api-qps": "500",
            "kube-api-burst": "1000",
            "concurrent-gc-syncs": "5",
        } | self.site.manager


@cache
def shared_control_plane() -> ControlPlane:
    """One for this test process, with our CRDs; ended with it."""
    plane = ControlPlane(require_components())
    atexit.register(plane.stop)
    return with_our_kinds(plane)


def with_our_kinds(plane: ControlPlane) -> ControlPlane:
    """Starts it, with our CRDs."""
    plane.start()
    install_crds(plane, CRDS)
    return plane


def install_crds(plane: ControlPlane, path: Path) -> None:
    """Those in a file or folder; returns when they can be used."""
    kubectl = Kubectl(plane.admin)
    kubectl.run("apply", "--server-side", "-f", str(path))
    crds = kubectl.run("get", "-f", str(path), "-o", "name").split()
    established = [x for x in crds if x.startswith("customresourcedefinition")]
    kubectl.run("wait", "--for=condition=Established", "--timeout=30s", *established)


def gateway_api() -> Path:
    """Folder of the Gateway API's CRDs, standard channel."""
    folder = require_components().parent / "gateway-api"
    assert folder.exists(), "scripts/test-components links the CRDs of the Gateway API"
    return folder.resolve()


def namespace(plane: ControlPlane) -> Iterator[Kubectl]:
    """A namespace that is new, for a fixture."""
    name = f"t-{secrets.token_hex(4)}"
    kubectl = Kubectl(plane.admin)
    kubectl.run("create", "namespace", name)
    yield Kubectl(plane.admin, name)
    kubectl.run("delete", "namespace", name, "--wait=false")


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(url, data=json.dumps(body).encode())  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        found: dict[str, Any] = json.loads(answer.read())
        return found
