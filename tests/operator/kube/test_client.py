"""What is asked of an API server and of what stands before it, and what becomes of answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError
from hookplane_operator.kube.kinds import ENDPOINT, LEASE, NAMESPACE, SECRET, Object
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
        writer.write(_answer('{"kind": "NamespaceList", "metadata": {}, "items": []}'))
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


ENDPOINT_BODY = {
    "apiVersion": "hookplane.dev/v1alpha1",
    "kind": "WebhookEndpoint",
    "metadata": {"name": "orders", "namespace": "shop"},
}
LEASE_BODY = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "x", "namespace": "shop"},
}
PAGE = "<html><body>Down for maintenance</body></html>"


def _answer(body: str, status: str = "200 OK", kind: str = "text/html", *more: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close", *more]
    if not any(x.startswith("Content-Length") for x in more):
        head.append(f"Content-Length: {len(body.encode())}")
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


@asynccontextmanager
async def _asking(folder: Path, answer: bytes) -> AsyncIterator[Kube]:
    """A client of an API server that says nothing else."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
        file = folder / "kubeconfig"
        file.write_text(yaml.safe_dump(_KUBECONFIG | {"clusters": [cluster]}))
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
            patch.setenv("KUBECONFIG", str(file))
            kube = await Kube.connect(Metrics(CollectorRegistry()), lambda: True)
        try:
            yield kube
        finally:
            await kube.close()


BROKEN = {
    "a page of a load balancer": _answer(PAGE),
    "an empty body": _answer(""),
    "no content": _answer("", "204 No Content"),
    "half an object": _answer('{"kind": "WebhookEndpoint", "meta', kind="application/json"),
    "a body that is cut off": _answer("{}", "200 OK", "application/json", "Content-Length: 999"),
    "a list": _answer("[]", kind="application/json"),
    "an object of nobody's": _answer('{"ok": true}', kind="application/json"),
    "an object of another kind": _answer(
        '{"kind": "Pod", "metadata": {"name": "orders"}}', kind="application/json"
    ),
    "bytes of no text": _answer("", "200 OK", "x", "Content-Length: 2") + b"\xff\xfe",
    "no HTTP": b"\x15\x03\x01\x00\x02\x02\x16",
    "a page that says no": _answer(PAGE, "502 Bad Gateway"),
    "a wish that is no number": _answer(
        "{}", "429 Too Many Requests", "application/json", "Retry-After: \u00b2"
    ),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
async def test_what_no_api_server_says_is_one_error(tmp_path: Path, answer: bytes) -> None:
    async with _asking(tmp_path, answer) as kube:
        calls: list[tuple[str, Callable[[], Awaitable[object]]]] = [
            ("GET", lambda: kube.get(ENDPOINT, "shop", "orders")),
            ("PATCH", lambda: kube.apply(ENDPOINT, ENDPOINT_BODY, part="status")),
            ("POST", lambda: kube.create(LEASE, LEASE_BODY, elected=False)),
            ("GET", lambda: _listed(kube)),
            ("GET", lambda: kube.is_served(ENDPOINT, None)),
            ("GET", lambda: kube.takes_new([ENDPOINT])),
        ]
        for verb, call in calls:
            with pytest.raises(ApiError) as caught:
                await call()
            assert str(caught.value).startswith(f"{verb} /api")
            if b"429" in answer:
                return  # each further request would wait


async def test_the_first_bytes_are_told_but_not_of_secrets(tmp_path: Path) -> None:
    async with _asking(tmp_path, _answer(PAGE)) as kube:
        with pytest.raises(ApiError, match="Down for maintenance") as caught:
            await kube.get(ENDPOINT, "shop", "orders")
        assert "text/html" in str(caught.value)
        assert "200" in str(caught.value)
        with pytest.raises(ApiError) as caught:
            await kube.get(SECRET, "shop", "key")
        assert "maintenance" not in str(caught.value)


async def test_a_list_without_items_is_no_empty_list(tmp_path: Path) -> None:
    """It would be taken for a cluster from which everything is gone."""
    other = '{"kind": "WebhookEndpointList", "metadata": {"resourceVersion": "1"}}'
    async with _asking(tmp_path, _answer(other, kind="application/json")) as kube:
        with pytest.raises(ApiError):
            await _listed(kube)
    empty = '{"kind": "WebhookEndpointList", "metadata": {}, "items": null}'
    async with _asking(tmp_path, _answer(empty, kind="application/json")) as kube:
        assert await _listed(kube) == []


async def test_a_watch_that_must_wait_is_not_made(tmp_path: Path) -> None:
    """Its version would be from before the wait, and etcd may be restored meanwhile."""
    away = ("429 Too Many Requests", "application/json", "Retry-After: 60")
    async with _asking(tmp_path, _answer("{}", *away)) as kube:
        with pytest.raises(ApiError, match="429"):
            await _listed(kube)
        with pytest.raises(ApiError, match="no answer: TimeoutError"):
            await _watched(kube)


async def _watched(kube: Kube) -> None:
    async for _ in kube.watch(ENDPOINT, None, "7", 40.0, within=0.05):
        pass


async def _listed(kube: Kube) -> list[Object]:
    return [body async for body in kube.list(ENDPOINT, None)]
