"""Certificates: whose are believed, which are shown, and that connections are not shared."""

from __future__ import annotations

import asyncio
import os
import ssl
import warnings
from pathlib import Path

import pytest

from hookplane.config.subscription import TLSConfig
from hookplane.secret import Secret
from hookplane_dispatcher.egress.client import EgressClient, EgressError
from hookplane_dispatcher.egress.tls import MAX_CONTEXTS, TLSContexts
from support.clocks.until import until
from support.http.egress import SHORT, post
from support.http.targets import OK, Authority, Identity, Wire, answers, server_context, target


@pytest.fixture
def authority() -> Authority:
    return Authority()


async def test_an_authority_of_ones_own_is_believed(
    egress: EgressClient, authority: Authority, tmp_path: Path
) -> None:
    context = server_context(authority.issue("127.0.0.1"), tmp_path)
    async with target(answers(OK), tls=context) as seen:
        for _ in range(3):
            response = await egress.post(post(seen.url(), tls=authority.trusted()))
            assert (response.status_code, response.error) == (200, None)
    assert seen.connections == 1


async def test_names_are_checked_as_names(
    egress: EgressClient, authority: Authority, tmp_path: Path
) -> None:
    context = server_context(authority.issue("localhost"), tmp_path)
    async with target(answers(OK), tls=context) as seen:
        url = seen.url(host="localhost")
        assert (await egress.post(post(url, tls=authority.trusted()))).status_code == 200


@pytest.mark.parametrize(
    ("names", "days", "believed", "detail"),
    [
        (["127.0.0.1"], 1, False, "unable to get local issuer certificate"),
        (["other.example"], 1, True, "the certificate is for another name"),
        (["127.0.0.2"], 1, True, "the certificate is for another name"),
        (["127.0.0.1"], -1, True, "certificate has expired"),
    ],
)
async def test_other_certificates_are_refused_with_the_reason(
    egress: EgressClient,
    authority: Authority,
    tmp_path: Path,
    names: list[str],
    days: int,
    believed: bool,
    detail: str,
) -> None:
    context = server_context(authority.issue(*names, days=days), tmp_path)
    trusted = authority if believed else Authority("Other CA")
    async with target(answers(OK), tls=context) as seen:
        response = await egress.post(post(seen.url("/s3cret"), tls=trusted.trusted()))
    assert (response.error, response.detail) == (EgressError.TLS, detail)
    assert seen.requests == []


async def test_a_certificate_for_another_name_is_refused_where_the_url_has_a_name(
    egress: EgressClient, authority: Authority, tmp_path: Path
) -> None:
    context = server_context(authority.issue("other.example"), tmp_path)
    async with target(answers(OK), tls=context) as seen:
        url = seen.url(host="localhost")
        response = await egress.post(post(url, tls=authority.trusted()))
    expected = (EgressError.TLS, "the certificate is for another name")
    assert (response.error, response.detail) == expected


async def test_the_system_does_not_believe_the_test(
    egress: EgressClient, authority: Authority, tmp_path: Path
) -> None:
    own = Identity(*_self_signed(authority))
    async with target(answers(OK), tls=server_context(own, tmp_path)) as seen:
        response = await egress.post(post(seen.url()))
    assert response.error is EgressError.TLS
    assert seen.requests == []


def _self_signed(authority: Authority) -> tuple[str, str]:
    identity = authority.issue("127.0.0.1")
    return identity.certificate, identity.key


async def test_a_target_without_tls_is_not_spoken_to_in_the_clear(egress: EgressClient) -> None:
    received = b""

    async def script(wire: Wire) -> None:
        nonlocal received
        received = await wire.reader.read(4096)
        await wire.send(OK)

    async with target(script) as seen:
        response = await egress.post(post(seen.url("/s3cret").replace("http:", "https:")))
    assert (response.error, seen.connections) == (EgressError.TLS, 1)
    assert b"s3cret" not in received


async def test_a_tls_target_is_not_read_without_tls(
    egress: EgressClient, authority: Authority, tmp_path: Path
) -> None:
    context = server_context(authority.issue("127.0.0.1"), tmp_path)
    async with target(answers(OK), tls=context) as seen:
        response = await egress.post(post(seen.url().replace("https:", "http:")))
    assert response.error in {EgressError.PROTOCOL, EgressError.CLOSED}
    assert seen.requests == []


async def test_old_versions_of_tls_are_refused(
    egress: EgressClient, authority: Authority, tmp_path: Path
) -> None:
    context = server_context(authority.issue("127.0.0.1"), tmp_path)
    _only_tls_1_1(context)
    async with target(answers(OK), tls=context) as seen:
        assert await _speaks_tls_1_1(seen.port)
        response = await egress.post(post(seen.url(), tls=authority.trusted()))
    assert response.error in {EgressError.TLS, EgressError.CONNECT}
    assert response.detail in {"closed during the handshake", "tlsv1 alert protocol version"}
    assert seen.requests == []


def _only_tls_1_1(context: ssl.SSLContext) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1


async def _speaks_tls_1_1(port: int) -> bool:
    """Somebody who is less strict gets through."""
    lax = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    lax.check_hostname = False
    lax.verify_mode = ssl.CERT_NONE
    _only_tls_1_1(lax)
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=lax)
    version = writer.get_extra_info("ssl_object").version()
    writer.close()
    await writer.wait_closed()
    return bool(version == "TLSv1.1")


async def test_a_client_certificate_is_shown_when_asked_for(
    egress: EgressClient, authority: Authority, tmp_path: Path
) -> None:
    async with target(answers(OK), tls=_asking(authority, tmp_path)) as seen:
        shown = authority.trusted(authority.issue("client"))
        assert (await egress.post(post(seen.url(), tls=shown))).status_code == 200


async def test_connections_are_not_shared_across_certificates(
    egress: EgressClient, authority: Authority, tmp_path: Path
) -> None:
    async with target(answers(OK), tls=_asking(authority, tmp_path)) as seen:
        first = authority.trusted(authority.issue("first"))
        second = authority.trusted(authority.issue("second"))
        for tls in (first, second, first, second):
            assert (await egress.post(post(seen.url(), tls=tls))).status_code == 200
        assert seen.connections == 2
        without = await egress.post(post(seen.url(), tls=authority.trusted()))
        assert without.error in {EgressError.TLS, EgressError.CLOSED}
    assert len(seen.requests) == 4


async def test_connections_with_certificates_are_not_for_those_without(
    egress: EgressClient, authority: Authority, tmp_path: Path
) -> None:
    """Whatever URL they share: what one subscription believes is nothing to another."""
    context = server_context(authority.issue("127.0.0.1"), tmp_path)
    async with target(answers(OK), tls=context) as seen:
        url = seen.url()
        assert (await egress.post(post(url, tls=authority.trusted()))).status_code == 200
        for stranger in (None, Authority("Other CA").trusted()):
            assert (await egress.post(post(url, tls=stranger))).error is EgressError.TLS
        assert (await egress.post(post(url, tls=authority.trusted()))).status_code == 200
    assert (len(seen.requests), seen.connections) == (2, 1)


@pytest.mark.parametrize(("host", "told"), [("localhost", "localhost"), ("127.0.0.1", None)])
async def test_the_name_is_told_and_an_address_is_not(
    egress: EgressClient, authority: Authority, tmp_path: Path, host: str, told: str | None
) -> None:
    heard: list[str | None] = []
    context = server_context(authority.issue("localhost", "127.0.0.1"), tmp_path)
    context.sni_callback = lambda _socket, name, _context: heard.append(name)
    async with target(answers(OK), tls=context) as seen:
        url = seen.url(host=host)
        assert (await egress.post(post(url, tls=authority.trusted()))).status_code == 200
    assert heard == [told]


@pytest.mark.parametrize("raw", [b"HTTP/1.1 200 OK\r\n\r\nto the end", OK])
async def test_an_answer_may_end_with_the_connection_in_tls(
    egress: EgressClient, authority: Authority, tmp_path: Path, raw: bytes
) -> None:
    """With or without a goodbye: many servers say none."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(raw)
        await asyncio.sleep(0.05)
        wire.reset()

    context = server_context(authority.issue("127.0.0.1"), tmp_path)
    async with target(script, tls=context) as seen:
        for _ in range(2):
            response = await egress.post(post(seen.url(), tls=authority.trusted()))
            assert (response.status_code, response.error) == (200, None)


async def test_a_handshake_that_does_not_end_meets_the_deadline(egress: EgressClient) -> None:
    async with target(lambda wire: wire.until_closed()) as seen:
        url = seen.url().replace("http:", "https:")
        assert (await egress.post(post(url, timeout=SHORT))).error is EgressError.TIMEOUT
        await until(lambda: seen.open == 0, "the connection to end")


def _asking(authority: Authority, folder: Path) -> ssl.SSLContext:
    context = server_context(authority.issue("127.0.0.1"), folder)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.certificate)
    return context


async def test_certificates_of_nonsense_are_our_failure(egress: EgressClient) -> None:
    async with target(answers(OK)) as seen:
        url = seen.url().replace("http:", "https:")
        for tls in (
            TLSConfig(ca="nonsense"),
            TLSConfig(certificate="nonsense", private_key=Secret("nonsense")),
        ):
            response = await egress.post(post(url, tls=tls))
            assert response.error is EgressError.TLS
            assert "nonsense" not in response.detail
    assert seen.connections == 0


async def test_no_key_stays_on_disk(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    await TLSContexts().get(authority.trusted(authority.issue("client")))
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - the other way is refused in coroutines


async def test_contexts_are_kept_by_content_and_bounded(authority: Authority) -> None:
    contexts = TLSContexts()
    first = await contexts.get(authority.trusted())
    assert await contexts.get(authority.trusted()) is first
    for number in range(MAX_CONTEXTS):
        await contexts.get(TLSConfig(ca=authority.certificate + "\n" * (number + 1)))
    assert await contexts.get(authority.trusted()) is not first
