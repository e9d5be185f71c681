"""The files of a pod's service account, while the kubelet exchanges them."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError
from hookplane_operator.kube.kinds import NAMESPACE
from hookplane_operator.kube.service_account import HOST, PORT, ServiceAccount
from hookplane_operator.metrics import Metrics
from support.kubernetes.pki import Authority, write_pair

FIRST, SECOND = Authority("first"), Authority("second")


class Place:
    """An API server, and the files of a pod that asks it."""

    def __init__(self, folder: Path) -> None:
        self.token = folder / "token"
        self.ca = folder / "ca.crt"
        self.shown: list[str] = []
        """What requests showed."""
        self._folder = folder
        self._runner = web.AppRunner(self._app())
        self.token.write_text("one")
        self.ca.write_bytes(FIRST.certificate)

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/api/v1/namespaces", self._namespaces)
        return app

    async def _namespaces(self, request: web.Request) -> web.Response:
        self.shown.append(request.headers.get("Authorization", ""))
        answer = web.json_response({"kind": "NamespaceList", "metadata": {}, "items": []})
        answer.force_close()  # each request makes a connection, and checks the certificate
        return answer

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        await self._runner.setup()
        try:
            yield
        finally:
            await self._runner.cleanup()

    async def listen(self, authority: Authority, port: int = 0) -> None:
        """With a certificate of this authority."""
        write_pair(self._folder, "server", authority.server("api", ("localhost",), ("127.0.0.1",)))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._folder / "server.crt", self._folder / "server.key")
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=context)
        await site.start()
        self._site = site
        self.port = int(self._runner.addresses[-1][1])

    async def close(self) -> None:
        await self._site.stop()


@asynccontextmanager
async def asked(place: Place, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kube]:
    async with place.serving():
        await place.listen(FIRST)
        monkeypatch.setenv(HOST, "127.0.0.1")
        monkeypatch.setenv(PORT, str(place.port))
        account = ServiceAccount(place.token.parent)
        kube = await Kube.connect(Metrics(CollectorRegistry()), account=account)
        try:
            yield kube
        finally:
            await kube.close()


async def test_a_token_is_shown_as_soon_as_it_was_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path)
    async with asked(place, monkeypatch) as kube:
        await kube.is_served(NAMESPACE, None)
        place.token.write_text("two\n")
        await kube.is_served(NAMESPACE, None)
    assert place.shown == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize("broken", ["empty", "gone", "no text"])
async def test_a_token_that_is_being_written_leaves_the_last_one_in_use(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    broken: str,
) -> None:
    place = Place(tmp_path)
    async with asked(place, monkeypatch) as kube:
        await kube.is_served(NAMESPACE, None)
        _break(place.token, broken)
        for _ in range(3):
            await kube.is_served(NAMESPACE, None)
        place.token.write_text("two")
        await kube.is_served(NAMESPACE, None)
    assert place.shown == ["Bearer one"] * 4 + ["Bearer two"]
    assert [x.getMessage() for x in caplog.records if "token" in x.getMessage()] == [
        f"{place.token} holds no token; what was read before is used"
    ]


@pytest.mark.parametrize("broken", ["empty", "gone"])
async def test_without_any_token_nothing_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    place = Place(tmp_path)
    _break(place.token, broken)
    async with asked(place, monkeypatch) as kube:
        with pytest.raises(ApiError, match="holds no token"):
            await kube.is_served(NAMESPACE, None)
        place.token.write_text("one")
        await kube.is_served(NAMESPACE, None)
    assert place.shown == ["Bearer one"]


async def test_certificates_that_were_exchanged_are_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path)
    async with asked(place, monkeypatch) as kube:
        await kube.is_served(NAMESPACE, None)
        await place.close()
        await place.listen(SECOND, place.port)
        with pytest.raises(ApiError, match="no answer"):
            await kube.is_served(NAMESPACE, None)
        place.ca.write_bytes(b"")
        with pytest.raises(ApiError, match="no answer"):
            await kube.is_served(NAMESPACE, None)
        place.ca.write_bytes(FIRST.certificate + SECOND.certificate)
        await kube.is_served(NAMESPACE, None)
    assert len(place.shown) == 2


async def test_a_pod_without_certificates_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOST, "127.0.0.1")
    account = ServiceAccount(tmp_path)
    with pytest.raises(ApiError, match=r"ca\.crt holds no certificate"):
        await Kube.connect(Metrics(CollectorRegistry()), account=account)


def _break(file: Path, how: str) -> None:
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(b"" if how == "empty" else b"\xff\xfe")
