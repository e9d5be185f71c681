"""The console in a real pod: for who may forward a port to it, and nobody else."""

from __future__ import annotations

import http.client
import json
from typing import Final
from urllib.parse import urlsplit

from support.node.real import forwarded
from support.node.release import Release
from support.node.tenant import Tenant

CONNECT: Final = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).close()
    print("connected")
except OSError as error:
    print(type(error).__name__)
"""


def test_who_may_forward_a_port_reaches_it(release: Release) -> None:
    with forwarded(release.kubectl, "deployment/default-console", 8090) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        connection.request("GET", "/api/v1/endpoints")
        assert json.load(connection.getresponse())["next"] is None
        connection.close()


def test_pods_of_tenants_do_not(release: Release, shop: Tenant) -> None:
    [name] = release.pods("console")
    address = release.kubectl.get("pod", name)["status"]["podIP"]

    def attempt(port: int) -> str:
        command = ("exec", "subscriber", "--", "python", "-c", CONNECT, address, str(port))
        return shop.kubectl.run(*command).strip()

    assert attempt(8090) == "ConnectionRefusedError"
    assert attempt(8081) == "connected"
