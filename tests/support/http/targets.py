"""Targets on loopback for tests of what leaves: raw servers that can be as hostile as they like."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hookplane.config.subscription import TLSConfig
from hookplane.secret import Secret

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Script = Callable[["Wire"], Awaitable[None]]


@dataclass
class Target:
    """What a target saw."""

    port: int = 0
    scheme: str = "http"
    connections: int = 0
    open: int = 0
    requests: list[bytes] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def header(self, name: str, request: int = -1) -> list[str]:
        """All values of a header in one of the requests."""
        lines = self.requests[request].split(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        pairs = [line.partition(":") for line in lines]
        return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]


@dataclass
class Wire:
    """One connection, seen from the target."""

    target: Target
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> bytes:
        """Reads and records one request."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        request = head + await self.reader.readexactly(length)
        self.target.requests.append(request)
        return request

    async def send(self, data: bytes) -> None:
        if self.writer.transport.is_closing():  # uvloop raises RuntimeError here
            raise ConnectionResetError
        self.writer.write(data)
        await self.writer.drain()

    async def until_closed(self) -> None:
        while await self.reader.read(4096):
            pass

    def reset(self) -> None:
        """RST instead of FIN."""
        self.writer.transport.abort()


def answers(*each: bytes, close: bool = False) -> Script:
    """Answers the n-th request of a connection with the n-th text, the last one again and again."""

    async def script(wire: Wire) -> None:
        count = 0
        while True:
            await wire.request()
            await wire.send(each[min(count, len(each) - 1)])
            count += 1
            if close:
                return

    return script


@asynccontextmanager
async def target(
    script: Script,
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[Target]:
    """A server that runs the script on each connection; closes a connection when it ends."""
    seen = Target(scheme="https" if tls else "http")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        seen.open += 1
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            await script(Wire(seen, reader, writer))
        seen.open -= 1
        writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()


@dataclass(frozen=True)
class Identity:
    """A certificate and its key as PEM."""

    certificate: str
    key: str


class Authority:
    """A certificate authority for one test."""

    def __init__(self, name: str = "Test CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        certificate = self._builder(self._name, self._key.public_key(), days=1)
        certificate = certificate.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        self.certificate = _pem(certificate.sign(self._key, hashes.SHA256()))

    def trusted(self, own: Identity | None = None) -> TLSConfig:
        """For a sender that believes in this one, and shows a certificate of its own."""
        if own is None:
            return TLSConfig(ca=self.certificate)
        key = Secret(own.key)
        return TLSConfig(ca=self.certificate, certificate=own.certificate, private_key=key)

    def issue(self, *names: str, days: int = 1) -> Identity:
        """For these host names and addresses; negative days: expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_named(names[0]), key.public_key(), days)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_alternative(n) for n in names]), False
        )
        return Identity(_pem(builder.sign(self._key, hashes.SHA256())), _key_pem(key))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: int
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        end = now + timedelta(days=days)
        return (
            x509.CertificateBuilder(issuer_name=self._name, subject_name=subject, public_key=key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(now, end) - timedelta(days=1))
            .not_valid_after(end)
        )


def server_context(identity: Identity, folder: Path) -> ssl.SSLContext:
    """A server's context that shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    file = folder / "identity.pem"
    file.write_text(identity.key + identity.certificate)
    context.load_cert_chain(file)
    return context


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
