"""TLS at the front door beyond the conformance suite: handshakes, old versions, renewal."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509

from hookplane.errors import InvalidValue
from hookplane_receiver.ingress.raw_server import RawIngress
from hookplane_receiver.ingress.server import InboundRequest, InboundResponse, IngressLimits
from hookplane_receiver.ingress.server_certificate import ServerCertificate
from support.clocks.until import until
from support.http.tls import client_context, server_context, server_pair, servers, tls_settings
from support.kubernetes.pki import Pair, write_pair
from support.planes.activity import RecordingActivityLog
from support.planes.ingress import dial, received

HELLO = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
CLOSE = HELLO.replace(b"Host: x", b"Host: x\r\nConnection: close")


async def answer(request: InboundRequest) -> InboundResponse:
    return InboundResponse(200, await request.read_body(1 << 20, request.peer))


@asynccontextmanager
async def serving(
    limits: IngressLimits | None = None,
    own: ServerCertificate | None = None,
    failed: Callable[[], None] = lambda: None,
) -> AsyncIterator[int]:
    """The port of a server."""
    current = own.current if own else lambda: server_context(ask=True)
    server = RawIngress(answer, "127.0.0.1:0", limits or IngressLimits(), current, failed)
    port = urlsplit(await server.start()).port
    assert port is not None
    try:
        yield port
    finally:
        await server.stop(1000)


async def ask(port: int, tls: ssl.SSLContext | None = None, sent: bytes = CLOSE) -> bytes:
    """Whatever comes back until the other end closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls or client_context())
    writer.write(sent)
    try:
        return await asyncio.wait_for(reader.read(), 60)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def ask_blocking(port: int, sent: bytes) -> bytes:
    """The same in a thread: uvloop's own client drops what it has not read when we close."""
    with dial("127.0.0.1", port, client_context()) as client:
        client.sendall(sent)
        return received(client)


async def raw(port: int, sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that speaks no TLS of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    return reader, writer


def client_hello() -> bytes:
    """The first flight of a handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What came before the other end closed."""
    try:
        return await asyncio.wait_for(reader.read(), 60)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("size", [0, 1, 5, 100, None], ids=str)
async def test_half_open_handshakes_end_at_the_deadline_of_headers(size: int | None) -> None:
    async with serving(IngressLimits(header_timeout=200)) as port:
        reader, writer = await raw(port, client_hello()[:size])
        assert b"HTTP" not in await ended(reader)
        writer.close()
        assert (await ask(port)).startswith(b"HTTP/1.1 200")


async def test_half_open_handshakes_count_and_give_way() -> None:
    async with serving(IngressLimits(connections=3, header_timeout=60_000)) as port:
        half = [await raw(port, client_hello()[:50]) for _ in range(3)]
        for _ in range(2):
            assert (await ask(port)).startswith(b"HTTP/1.1 200")
        assert await ended(half[0][0]) == b""
        for _, writer in half:
            writer.close()


async def test_a_record_that_never_gets_whole_ends_at_the_deadline_of_headers() -> None:
    """Behind a request that was answered, so that neither the handshake's time nor that of a first
    request counts."""
    async with serving(IngressLimits(header_timeout=200, idle_timeout=60_000)) as port:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        reader, writer = await raw(port, b"")
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(65536))
        session.write(HELLO)
        writer.write(outgoing.read())
        assert await reader.read(65536)
        session.write(HELLO)
        writer.write(outgoing.read()[:-10])
        await asyncio.wait_for(ended(reader), 10)
        writer.close()


async def test_the_end_of_tls_is_that_of_the_connection() -> None:
    """It is told back at once, and no idle connection is left."""

    def leave(port: int) -> bytes:
        with dial("127.0.0.1", port, client_context()) as client:
            assert isinstance(client, ssl.SSLSocket)
            client.sendall(HELLO)
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
            return client.unwrap().recv(1)

    async with serving(IngressLimits(idle_timeout=600_000)) as port:
        assert await asyncio.to_thread(leave, port) == b""


NO_TLS = {
    "plain HTTP": CLOSE,
    "a PROXY line": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
    "noise": bytes(range(256)) * 8,
    "an alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "a record that is too long": b"\x16\x03\x01\xff\xff" + b"\x01" * 70_000,
    "SSL 2": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"\x01" * 37,
}


@pytest.mark.parametrize("name", NO_TLS)
async def test_what_is_no_tls_is_hung_up_on(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as port:
        reader, writer = await raw(port, NO_TLS[name])
        assert b"HTTP/1" not in await ended(reader)
        writer.close()
        assert (await ask(port)).startswith(b"HTTP/1.1 200")
        assert caplog.text == ""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_versions_are_refused(version: ssl.TLSVersion) -> None:
    old = client_context()
    old.minimum_version, old.maximum_version = version, version
    old.set_ciphers("ALL:@SECLEVEL=0")
    async with serving() as port:
        with pytest.raises(ssl.SSLError):
            await ask(port, old)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_newer_versions_are_served(version: ssl.TLSVersion) -> None:
    new = client_context()
    new.minimum_version, new.maximum_version = version, version
    async with serving() as port:
        assert (await ask(port, new)).startswith(b"HTTP/1.1 200")


async def test_bodies_of_many_records_come_back_whole() -> None:
    body = bytes(range(256)) * 4000
    head = CLOSE.replace(b"Length: 0", b"Length: %d" % len(body))
    async with serving() as port:
        answered = await asyncio.to_thread(ask_blocking, port, head + body)
        assert answered.endswith(b"\r\n\r\n" + body)


async def test_a_certificate_whose_key_the_client_lacks_is_no_certificate() -> None:
    """The handshake proves that the client has the key."""
    stolen = servers().client("erp.partner.example")
    with pytest.raises(ssl.SSLError):
        client_context(Pair(servers().client("x").key, stolen.certificate))


async def test_a_certificate_that_cannot_be_read_leaves_no_trace_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """OpenSSL takes one of version 5, at both ends."""
    own = servers().client("x")
    der = ssl.PEM_cert_to_DER_cert(own.certificate.decode())
    changed = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x04", 1)
    strange = Pair(own.key, ssl.DER_cert_to_PEM_cert(changed).encode())
    async with serving() as port:
        with suppress(OSError):
            assert await ask(port, client_context(strange)) == b""
        assert (await ask(port)).startswith(b"HTTP/1.1 200")
        assert caplog.text == ""


# What is counted --------------------------------------------------------------------------------

FAILED = {
    "no TLS": (CLOSE, 1),
    "half a handshake": (client_hello()[:50], 1),
    "nothing": (b"", 0),
}


@pytest.mark.parametrize("name", FAILED)
async def test_handshakes_that_fail_are_counted_and_no_others(name: str) -> None:
    """A probe that only connects is none."""
    failures: list[None] = []
    sent, expected = FAILED[name]
    async with serving(failed=lambda: failures.append(None)) as port:
        assert (await ask(port)).startswith(b"HTTP/1.1 200")
        reader, writer = await raw(port, sent)
        if sent:
            writer.write_eof()
        writer.close()
        await ended(reader)
        await until(lambda: len(failures) >= expected, "the failure to be counted")
    assert len(failures) == expected


# Renewal ----------------------------------------------------------------------------------------


def shown_by(port: int) -> int:
    """The serial number of the certificate that new connections get."""
    shown = ssl.get_server_certificate(("127.0.0.1", port))
    return x509.load_pem_x509_certificate(shown.encode()).serial_number


def serial(pair: Pair) -> int:
    return x509.load_pem_x509_certificate(pair.certificate).serial_number


def always_looking(
    certificate: Path, key: Path, activity: RecordingActivityLog
) -> ServerCertificate:
    """Reads its files again every 10 ms."""
    return ServerCertificate(certificate, key, lambda: False, activity, look_seconds=0.01)


@asynccontextmanager
async def renewing(folder: Path) -> AsyncIterator[tuple[int, RecordingActivityLog, Pair]]:
    """A port with a certificate whose files are looked at all the time."""
    first, activity = server_pair(), RecordingActivityLog()
    settings = tls_settings(folder, first)
    own = always_looking(settings.certificate, settings.key, activity)
    own.load()
    following = asyncio.create_task(own.follow())
    async with serving(own=own) as port:
        yield port, activity, first
    following.cancel()


async def until_shown(port: int, wanted: Pair) -> None:
    async with asyncio.timeout(60):
        while await asyncio.to_thread(shown_by, port) != serial(wanted):
            pass


async def test_a_renewed_certificate_is_shown_and_no_connection_dropped(tmp_path: Path) -> None:
    async with renewing(tmp_path) as (port, _, first):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_context())
        await until_shown(port, first)
        renewed = server_pair()
        write_pair(tmp_path, "tls", renewed)
        await until_shown(port, renewed)
        writer.write(CLOSE)
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()


BROKEN = {
    "another key": lambda: Pair(server_pair().key, server_pair().certificate),
    "no certificate": lambda: Pair(server_pair().key, b"none"),
    "half a certificate": lambda: Pair(server_pair().key, server_pair().certificate[:200]),
    "no key": lambda: Pair(b"", server_pair().certificate),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_pair_changes_nothing_and_is_told_once(tmp_path: Path, name: str) -> None:
    async with renewing(tmp_path) as (port, activity, first):
        broken = BROKEN[name]()
        write_pair(tmp_path, "tls", broken)
        await until(
            lambda: any(x[1] == "CertificateRefused" for x in activity.notes),
            "the refusal in the activity",
        )
        await until_shown(port, first)
        refusals = [x[2] for x in activity.notes if x[1] == "CertificateRefused"]
        assert len(set(refusals)) == len(refusals)
        assert "the former one stays in force" in refusals[-1]
        assert "BEGIN PRIVATE" not in str(activity.notes)
        mended = server_pair()
        write_pair(tmp_path, "tls", mended)
        await until_shown(port, mended)


async def test_links_that_are_swapped_are_followed(tmp_path: Path) -> None:
    """As mounted Secrets are."""
    old, new = tmp_path / "old", tmp_path / "new"
    renewed = server_pair()
    for folder, pair in ((old, server_pair()), (new, renewed)):
        folder.mkdir()
        write_pair(folder, "tls", pair)
    data = tmp_path / "..data"
    data.symlink_to(old)
    own = always_looking(data / "tls.crt", data / "tls.key", RecordingActivityLog())
    own.load()
    following = asyncio.create_task(own.follow())
    async with serving(own=own) as port:
        (tmp_path / "swap").symlink_to(new)
        (tmp_path / "swap").rename(data)
        await until_shown(port, renewed)
        end = x509.load_pem_x509_certificate(renewed.certificate).not_valid_after_utc
        assert own.ends_at == end.timestamp()
    following.cancel()


def test_a_start_with_a_broken_pair_names_the_file(tmp_path: Path) -> None:
    settings = tls_settings(tmp_path, Pair(server_pair().key, server_pair().certificate))
    own = ServerCertificate(
        settings.certificate, settings.key, lambda: False, RecordingActivityLog()
    )
    with pytest.raises(InvalidValue, match=r"tls\.crt: tls\.key is not the key"):
        own.load()
