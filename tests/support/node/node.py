"""A node of Kubernetes: kubelet, containerd, kube-proxy, CoreDNS and a control plane, in namespaces
of their own.

Everything of it ends with one process, its PID 1: other processes, mounts, interfaces, routes. That
process ends with the test, however the test ends. One node at a time; it needs root.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final, TextIO

from support.cluster.cache import cache_folder
from support.cluster.keeper import InsideKeeper, die_with_parent
from support.kubernetes.control_plane import ControlPlane, Site
from support.kubernetes.kubectl import Kubectl
from support.kubernetes.pki import write_pair
from support.node.parts.init import FOLDERS, READY

NAME: Final = "node"
INTERFACE: Final = "hookplane0"
HOST: Final = "10.201.0.1"
ADDRESS: Final = "10.201.0.2"
PODS: Final = "10.244.0.0/24"
SERVICES: Final = "10.96.0.0/16"
DNS: Final = "10.96.0.10"
PAUSE: Final = "localhost/pause:test"
CGROUP: Final = "/hookplane-node"
CGROUPS: Final = Path("/sys/fs/cgroup")
SOCKET: Final = "/run/containerd/containerd.sock"
FILES: Final = Path(__file__).parent / "parts"
TOOLS: Final = ("ip", "iptables", "nft", "nsenter", "runc", "unshare")
PLUGINS: Final = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
PATIENCE: Final = 120.0
_SYSCTLS: Final = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
"""What a kubelet sets for the whole machine."""


def missing(binaries: Path) -> list[str]:
    """What a node would need besides; empty: nothing."""
    lacking = [name for name in TOOLS if shutil.which(name, path=_path()) is None]
    lacking += [x for x in ("kubelet", "containerd", "coredns") if not (binaries / x).exists()]
    if not any(folder.exists() for folder in PLUGINS):
        lacking.append("CNI plugins")
    return lacking if os.geteuid() == 0 else ["root", *lacking]


@dataclass(frozen=True)
class _Before:
    """How the machine was, for when the node is gone; kept in a file, should the test be killed."""

    sysctls: dict[str, str]
    folders: list[str]
    """Mount points that were not there."""

    @classmethod
    def note(cls, file: Path) -> _Before:
        lacking = [str(folder) for folder in _mount_points() if not folder.exists()]
        values = {name: text for name in _SYSCTLS if (text := _read(Path("/proc/sys", name)))}
        file.write_text(json.dumps({"sysctls": values, "folders": lacking}))
        return cls(values, lacking)

    @classmethod
    def read(cls, file: Path) -> _Before:
        return cls(**json.loads(file.read_text())) if file.exists() else cls({}, [])

    def restore(self) -> None:
        for name, value in self.sysctls.items():
            Path("/proc/sys", name).write_text(value)
        for folder in reversed(self.folders):
            with suppress(OSError):
                Path(folder).rmdir()


class Node:
    """Its folder is in the cache, because containers need a file system that is no overlay."""

    def __init__(self, binaries: Path) -> None:
        self._bin = binaries
        self.folder = cache_folder() / "node"
        self.keeper = InsideKeeper(self.folder, 0)
        self._lock: TextIO | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, images: Iterable[Path]) -> Node:
        """Returns when pods can be run. Waits for another node of this machine to go."""
        self._lock = _locked()
        self._remove()
        self.folder.mkdir(parents=True, mode=0o700)
        self._before = _Before.note(self.folder / "before.json")
        for folder in self._before.folders:
            Path(folder).mkdir()
        self._make_namespaces()
        self.keeper = InsideKeeper(self.folder, self.pid)
        site = Site(
            ADDRESS,
            {"etcd": 2379, "peer": 2380, "api": 6443},
            (NAME,),
            SERVICES,
            self._api_flags(),
            self._manager_flags(),
        )
        self.plane = ControlPlane(self._bin, site, self.folder, self.keeper)
        self.kubectl = Kubectl(self.plane.admin)
        self._write_files()
        self._start_runtime()
        self.plane.start()
        self._start_parts()
        self.load(images)
        self._start_kubelet()
        self._wait_ready()
        return self

    @property
    def pid(self) -> int:
        """Of PID 1, as the machine counts."""
        assert self._process is not None
        outer = self._process.pid
        children = _read(Path(f"/proc/{outer}/task/{outer}/children")).split()
        return int(children[0]) if children else 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()  # unshare, which takes PID 1 with it
            self._process.wait()
            self._process = None
            self.keeper.wait_all()
        self._remove()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def clean(self) -> None:
        """Removes what a test that was killed left behind; waits for a live node to go."""
        with _locked():
            self._remove()

    def load(self, images: Iterable[Path]) -> None:
        """Archives of images, for pods to use."""
        for image in images:
            self._ctr("images", "import", "--local", str(image))

    def restart_runtime(self) -> None:
        """containerd killed and started again; what it runs goes on."""
        self.keeper.kill("containerd")
        self._start_runtime()

    def describe(self) -> str:
        """Ends of all logs, for when something failed."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {x.name}\n{x.read_text(errors='replace')[-1500:]}" for x in logs)

    # --------------------------------------------------------------------------------------------

    def _make_namespaces(self) -> None:
        init = [sys.executable, FILES / "init.py", self.folder, NAME, f"{ADDRESS}/24"]
        with (self.folder / "init.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("unshare", "--net", "--mount", "--pid", "--uts", "--ipc"),
                    *("--propagation", "private", "--fork", "--mount-proc", "--kill-child"),
                    *map(str, init),
                    *(SERVICES, HOST),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PATH": _path()},
                preexec_fn=die_with_parent,  # noqa: PLW1509 - nothing else of this process runs
            )
        _until(lambda: self.pid, "PID 1")
        _run("ip", "link", "add", INTERFACE, "type", "veth", "peer", "eth0", "netns", str(self.pid))
        _run("ip", "address", "add", f"{HOST}/24", "dev", INTERFACE)
        _run("ip", "link", "set", INTERFACE, "up")
        for wide in (PODS, SERVICES):
            _run("ip", "route", "replace", wide, "via", ADDRESS, "dev", INTERFACE)
        _until((self.folder / READY).exists, "the node's namespaces")

    def _write_files(self) -> None:
        values = {
            "address": ADDRESS,
            "cgroup": CGROUP,
            "cni": str(next(folder for folder in PLUGINS if folder.exists())),
            "dns": DNS,
            "folder": str(self.folder),
            "node": NAME,
            "pause": PAUSE,
            "pods": PODS,
            "runc": shutil.which("runc", path=_path()) or "",
        }
        for file in FILES.iterdir():
            if file.is_file() and file.suffix != ".py":
                (self.folder / file.name).write_text(Template(file.read_text()).substitute(values))
        network = self.folder / "root" / "etc/cni/net.d" / "10-node.conflist"
        network.write_text((self.folder / "cni.conflist").read_text())
        (self.folder / "root" / "var/lib/volumes/1").mkdir(exist_ok=True)
        (self.folder / "resolv.conf").touch()
        authority = self.plane.authority
        write_pair(self.folder, "kubelet-server", authority.server(NAME, (NAME,), (ADDRESS,)))
        own = authority.client("kube-apiserver-kubelet-client", "system:masters")
        write_pair(self.folder, "apiserver-kubelet-client", own)
        for part, user in (("scheduler", "kube-scheduler"), ("proxy", "kube-proxy")):
            self.plane.user(part, authority.client(f"system:{user}"))
        self.plane.user("coredns", authority.client("system:coredns"))
        self.plane.user("kubelet", authority.client(f"system:node:{NAME}", "system:nodes"))

    def _api_flags(self) -> dict[str, str]:
        client = self.folder / "apiserver-kubelet-client"
        return {
            "bind-address": "0.0.0.0",  # noqa: S104 - of namespaces of their own
            "advertise-address": ADDRESS,
            "allow-privileged": "true",
            "enable-admission-plugins": "NodeRestriction",
            "endpoint-reconciler-type": "lease",
            "kubelet-certificate-authority": f"{self.folder / 'ca.crt'}",
            "kubelet-client-certificate": f"{client}.crt",
            "kubelet-client-key": f"{client}.key",
            "kubelet-preferred-address-types": "InternalIP",
        }

    def _manager_flags(self) -> dict[str, str]:
        return {
            "allocate-node-cidrs": "false",
            "cluster-cidr": PODS,
            "service-cluster-ip-range": SERVICES,
        }

    def _start_runtime(self) -> None:
        config = self.folder / "containerd.toml"
        path = f"PATH={self._bin}:{_path()}"
        self.keeper.start(
            "containerd", ["env", path, str(self._bin / "containerd"), "--config", str(config)]
        )
        _until(lambda: self._answers("version"), "containerd")

    def _start_parts(self) -> None:
        at = self.folder
        Kubectl(self.plane.admin, "kube-system").run("apply", "-f", str(at / "objects.yaml"))
        scheduler = {
            f"{x}kubeconfig": f"{at / 'scheduler.kubeconfig'}"
            for x in ("", "authentication-", "authorization-")
        }
        flags = {"bind-address": "127.0.0.1", "leader-elect": "false", "kube-api-qps": "500"}
        self.plane.run("scheduler", "kube-scheduler", scheduler | flags)
        self.keeper.start("coredns", [self._bin / "coredns", "-conf", at / "Corefile"])

    def _start_kubelet(self) -> None:
        for folder in _cgroups():
            _make_cgroup(folder)
        flags = {
            "config": f"{self.folder / 'kubelet.yaml'}",
            "kubeconfig": f"{self.folder / 'kubelet.kubeconfig'}",
            "hostname-override": NAME,
            "node-ip": ADDRESS,
        }
        self.plane.run("kubelet", "kubelet", flags)

    def _wait_ready(self) -> None:
        _until(lambda: self.kubectl.find("node", NAME), "the kubelet")
        # not earlier: it ends when the node gets its address
        proxy = {"config": f"{self.folder / 'proxy.yaml'}", "hostname-override": NAME}
        self.plane.run("proxy", "kube-proxy", proxy)
        self.kubectl.run("wait", "--for=condition=Ready", f"node/{NAME}", "--timeout=120s")
        # pods are refused before it is there
        _until(lambda: self.kubectl.find("serviceaccount", "default"), "a ServiceAccount")

    def _ctr(self, *arguments: str) -> str:
        command = ["ctr", "-a", SOCKET, "-n", "k8s.io", *arguments]
        return self.keeper.call(self._bin / command[0], *command[1:])

    def _answers(self, *arguments: str) -> bool:
        with suppress(subprocess.CalledProcessError):
            return bool(self._ctr(*arguments))
        return False

    def _remove(self) -> None:
        """What a node leaves behind, this one or that of a test that was killed."""
        subprocess.run(["ip", "link", "delete", INTERFACE], capture_output=True, check=False)
        _until(lambda: all(map(_remove_tree, _cgroups())), "the pods' cgroups to be empty")
        _Before.read(self.folder / "before.json").restore()
        shutil.rmtree(self.folder, ignore_errors=True)


def _locked() -> TextIO:
    """The right to have the node of this machine."""
    file = Path("/tmp/hookplane-node.lock").open("w")  # noqa: SIM115 - held until it stops
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _mount_points() -> Sequence[Path]:
    """With what they are in, the outermost first."""
    found: dict[Path, None] = {}
    for name in FOLDERS:
        path = Path("/", name)
        for folder in (*reversed(path.parents), path):
            found[folder] = None
    return list(found)


def _cgroups() -> list[Path]:
    """Of pods: one for each hierarchy of the first version, or the one of the second."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS / CGROUP.strip("/")]
    return [x / CGROUP.strip("/") for x in CGROUPS.iterdir() if x.is_dir() and not x.is_symlink()]


def _make_cgroup(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name in ("cpuset.cpus", "cpuset.mems"):
        # the first version of cgroups gives a new one none
        if (folder / name).exists() and not _read(folder / name).strip():
            (folder / name).write_text(_read(folder.parent / name))


def _remove_tree(folder: Path) -> bool:
    """Cgroups are folders that only `rmdir` removes."""
    if not folder.exists():
        return True
    inner = [x for x in folder.rglob("*") if x.is_dir()]
    with suppress(OSError):
        for one in (*sorted(inner, reverse=True), folder):
            one.rmdir()
    return not folder.exists()


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""


def _path() -> str:
    """Where Debian has what only root needs is not on everybody's PATH."""
    return f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin"


def _run(*command: str) -> None:
    subprocess.run(command, check=True, env={**os.environ, "PATH": _path()})


def _until(holds: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {PATIENCE:.0f} s in vain for {what}")
        time.sleep(0.05)
