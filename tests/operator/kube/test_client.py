"""Requests to the API server go through a proxy when the environment names one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.kinds import NAMESPACE
from hookplane_operator.metrics import Metrics

_KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    "clusters": [{"name": "c", "cluster": {"server": "http://api.invalid"}}],
    "users": [{"name": "u", "user": {}}],
}


async def _first_line(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """What a proxy gets to read when the API server is asked."""
    lines: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        kube = await Kube.connect(Metrics(CollectorRegistry()))
        await kube.is_served(NAMESPACE, None)
        await kube.close()
    return lines[0]


def test_the_proxy_of_the_environment_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(_KUBECONFIG))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    line = asyncio.run(_first_line(file, monkeypatch))
    assert line.startswith(b"GET http://api.invalid/api/v1/namespaces?")
