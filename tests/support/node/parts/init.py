"""PID 1 of a node: makes it ready, then reaps what its processes leave behind.

Runs in mount, network, pid, uts and ipc namespaces of its own. Whatever is started, mounted or
configured here ends with this process.

    python init.py FOLDER NODE ADDRESS/BITS SERVICES GATEWAY
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

FOLDERS = (
    "etc/cni/net.d",
    "opt/kubelet-plugins",
    "var/lib/cni",
    "var/lib/containerd",
    "var/lib/kubelet",
    "var/lib/volumes",
    "var/log/containers",
    "var/log/pods",
)
"""What is the node's own of the machine's file system; they are there already, to mount over."""
READY = "node-is-ready"


def main(folder: Path, node: str, address: str, services: str, gateway: str) -> None:
    mount_folders(folder / "root")
    run("hostname", node)
    set_up_network(address, services, gateway)
    (folder / READY).touch()
    reap()


def mount_folders(root: Path) -> None:
    # pods' mounts must reach the kubelet; the machine's are another namespace's
    run("mount", "--make-rshared", "/")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for name in ("netns", "lock"):
        Path("/run", name).mkdir()
    for name in FOLDERS:
        own, there = root / name, Path("/", name)
        own.mkdir(parents=True, exist_ok=True)
        run("mount", "--bind", str(own), str(there))
    run("mount", "--make-rshared", "/var/lib/kubelet")


def set_up_network(address: str, services: str, gateway: str) -> None:
    run("ip", "link", "set", "lo", "up")
    while subprocess.run(
        ["ip", "link", "show", "eth0"], capture_output=True, check=False
    ).returncode:
        time.sleep(0.02)
    run("ip", "address", "add", address, "dev", "eth0")
    run("ip", "link", "set", "eth0", "up")
    # There is no default route: what is not of this node cannot be reached. Services need one, or
    # a packet to them is refused before kube-proxy could change where it goes.
    run("ip", "route", "add", services, "via", gateway)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def has_link(name: str) -> bool:
    found = subprocess.run(["ip", "link", "show", name], capture_output=True, check=False)
    return found.returncode == 0


def reap() -> None:
    while True:
        try:
            os.wait()
        except ChildProcessError:
            time.sleep(0.2)


def run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
