"""The console in a real pod: for who may forward a port to it, and nobody else."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from support.node.release import Release
from support.node.tenant import Tenant

TRY: Final = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).close()
    print("connected")
except OSError as error:
    print(type(error).__name__)
"""


@contextmanager
def forwarded(release: Release) -> Iterator[int]:
    """Its port on this machine, as docs/kubernetes.md says."""
    command = [*release.kubectl.command, "port-forward", "deployment/default-console", ":8090"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = re.search(r"127\.0\.0\.1:(\d+) -> 8090", process.stdout.readline())
        assert port is not None
        yield int(port[1])
    finally:
        process.kill()
        process.communicate()


def test_who_may_forward_a_port_reaches_it(release: Release) -> None:
    with forwarded(release) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/api/v1/endpoints")
        assert json.load(connection.getresponse())["next"] is None
        connection.close()


def test_pods_of_tenants_do_not(release: Release, shop: Tenant) -> None:
    [name] = release.pods("console")
    address = release.kubectl.get("pod", name)["status"]["podIP"]

    def attempt(port: int) -> str:
        command = ("exec", "subscriber", "--", "python", "-c", TRY, address, str(port))
        return shop.kubectl.run(*command).strip()

    assert attempt(8090) == "ConnectionRefusedError"
    assert attempt(8081) == "connected"
