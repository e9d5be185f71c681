"""Ways to a database: TLS, passwords, certificates, few rights, other versions, poolers."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hookplane.errors import StoreError, StoreUnfit
from hookplane.secret import Secret
from hookplane.store.access import StoreAccess
from hookplane.store.maintenance import Retention
from hookplane.store.postgres.connection import SESSION, Purpose
from hookplane.store.postgres.driver import PostgresStore
from support.clocks.manual import ManualClock
from support.cluster.missing import left_out
from support.cluster.ports import free_port
from support.planes.store import DAY, Scene, closing_store
from support.postgres.server import PostgresServer, database, require_binaries, shared_server

VERSIONS = (None, 16, 18)
"""None: that of the distribution."""
PGBOUNCER = Path("/usr/sbin/pgbouncer")


async def use(settings: StoreAccess) -> None:
    """A round of everything that a process does."""
    clock = ManualClock()
    async with closing_store(PostgresStore.open(settings, clock)) as store:
        scene = Scene(store, clock)
        await scene.endpoints("e")
        await scene.subscription("s")
        entries = await scene.fill(3)
        await (await scene.owner()).deliver(*entries)
        assert (await scene.status()).counters.delivered == 3
        clock.advance(2 * DAY)
        expired = await store.expire(Retention(DAY, DAY, 0), clock.now())
        assert (expired.events, expired.attempts) == (3, 3)


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_version_does(version: int | None) -> None:
    async with database(shared_server(version)) as settings:
        await use(settings)


async def test_our_limits_are_in_force() -> None:
    async with (
        database() as settings,
        closing_store(PostgresStore.open(settings, ManualClock())) as store,
    ):
        for purpose, wait in {
            Purpose.READ: "1s",
            Purpose.FLUSH: "200ms",
            Purpose.INGEST: "200ms",
        }.items():
            async with store.connections.use(purpose) as db:
                for name, value in (SESSION | {"lock_timeout": wait}).items():
                    assert await db.fetchval("select current_setting($1)", name) == value


async def test_a_role_without_rights_on_tables_but_dml_is_enough() -> None:
    server = shared_server()
    async with database() as settings:
        name = settings.dsn.reveal().decode().rpartition("/")[2].partition("?")[0]
        async with server.admin(name) as db:
            await db.execute("drop role if exists app")
            await db.execute("create role app login")
            for grant in (
                "usage on schema hookplane",
                "select, insert, update, delete on all tables in schema hookplane",
                "usage on all sequences in schema hookplane",
                "execute on all functions in schema hookplane",
            ):
                await db.execute(f"grant {grant} to app")
        dsn = settings.dsn.reveal().decode().replace("postgres@", "app@")
        await use(StoreAccess(Secret(dsn)))
        async with server.admin(name) as db:
            await db.execute("drop owned by app")
            await db.execute("drop role app")


# TLS --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Authority:
    """A CA and what it signs, as files."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, folder: Path) -> Authority:
        folder.mkdir()
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate("test CA", key, "test CA", key, is_ca=True)
        made = cls(folder, key, certificate)
        made.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return made

    @property
    def file(self) -> Path:
        return self.folder / "ca.crt"

    def issue(self, name: str) -> tuple[Path, Path]:
        """Files of a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, key, "test CA", self.key, is_ca=False)
        files = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        files[1].chmod(0o600)
        return files


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_ca: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("tls") / "ca")


@pytest.fixture(scope="module")
def tls_server(authority: Authority) -> Iterator[PostgresServer]:
    """`secure` needs a password, `certified` a certificate, `postgres` nothing."""
    server = PostgresServer(require_binaries())
    certificate, key = (_given(server, file) for file in authority.issue("server"))
    ca = _given(server, authority.file)
    server.configure(ssl="on", ssl_cert_file=certificate, ssl_key_file=key, ssl_ca_file=ca)
    server.create()
    (server.data / "pg_hba.conf").write_text(
        "host all postgres 127.0.0.1/32 trust\n"
        "hostssl all certified 127.0.0.1/32 cert\n"
        "hostssl all secure 127.0.0.1/32 scram-sha-256\n"
    )
    server.start()
    yield server
    server.remove()


def _given(server: PostgresServer, file: Path) -> str:
    """A copy that the server may read."""
    copy = server.folder / file.name
    shutil.copy(file, copy)
    owner = server.folder.stat()
    os.chown(copy, owner.st_uid, owner.st_gid)
    copy.chmod(0o600)
    return str(copy)


async def _as(server: PostgresServer, settings: StoreAccess, role: str) -> StoreAccess:
    async with server.admin() as db:
        known = await db.fetchval("select 1 from pg_roles where rolname = $1", role)
        if not known:
            await db.execute(f"create role {role} superuser login password 'the first one'")
    dsn = settings.dsn.reveal().decode().replace("postgres@", f"{role}@").partition("?")[0]
    return replace(settings, dsn=Secret(dsn))


async def test_a_password_from_a_file_that_changes(
    tls_server: PostgresServer, authority: Authority, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("the first one\n")
    async with database(tls_server) as plain:
        settings = await _as(tls_server, plain, "secure")
        settings = replace(settings, password_file=password, tls_ca_file=authority.file)
        await use(settings)
        async with closing_store(PostgresStore.open(settings, ManualClock())) as store:
            async with tls_server.admin() as db:
                await db.execute("alter role secure password 'the second one'")
            password.write_text("the second one")
            await Scene(store, ManualClock()).endpoints("e", "f")  # a connection is new
        password.write_text("a wrong one")
        with pytest.raises(StoreUnfit, match="password"):
            await PostgresStore.open(settings, ManualClock())


async def test_a_certificate_instead_of_a_password(
    tls_server: PostgresServer, authority: Authority
) -> None:
    certificate, key = authority.issue("certified")
    async with database(tls_server) as plain:
        settings = replace(
            await _as(tls_server, plain, "certified"),
            tls_ca_file=authority.file,
            tls_certificate_file=certificate,
            tls_key_file=key,
        )
        await use(settings)
        with pytest.raises(StoreError):
            await PostgresStore.open(replace(settings, tls_certificate_file=None), ManualClock())


async def test_a_server_of_another_authority_is_refused(
    tls_server: PostgresServer, tmp_path: Path
) -> None:
    stranger = Authority.make(tmp_path / "stranger")
    async with database(tls_server) as settings:
        with pytest.raises(StoreError, match="certificate"):
            await PostgresStore.open(replace(settings, tls_ca_file=stranger.file), ManualClock())


async def test_a_server_under_another_name_is_refused(
    tls_server: PostgresServer, authority: Authority
) -> None:
    async with database(tls_server) as settings:
        dsn = settings.dsn.reveal().decode().replace("127.0.0.1", "localhost")
        with pytest.raises(StoreError, match="localhost"):
            await PostgresStore.open(
                replace(settings, dsn=Secret(dsn), tls_ca_file=authority.file), ManualClock()
            )


# Poolers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ignored", [False, True])
async def test_a_pooler_is_refused_in_words(ignored: bool) -> None:
    async with database() as settings:
        port = free_port()
        process, folder = _pooler(port, ignored)
        try:
            await _listening(port)
            dsn = settings.dsn.reveal().decode()
            dsn = dsn.replace(f":{shared_server().port}/", f":{port}/")
            with pytest.raises(StoreUnfit, match=r"PgBouncer.*name the server itself"):
                await PostgresStore.open(StoreAccess(Secret(dsn)), ManualClock())
        finally:
            process.terminate()
            process.wait()
            shutil.rmtree(folder)


def _pooler(port: int, ignored: bool) -> tuple[subprocess.Popen[bytes], Path]:
    if not PGBOUNCER.exists():
        left_out("PgBouncer is not installed; scripts/test-tools installs it")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)  # pytest's own are for this user alone
    settings = "search_path,statement_timeout,lock_timeout,idle_in_transaction_session_timeout"
    settings += ",synchronous_commit,jit"
    (folder / "users").write_text('"postgres" ""\n')
    (folder / "ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={shared_server().port} user=postgres\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\nauth_file = {folder}/users\npool_mode = transaction\n"
        f"ignore_startup_parameters = {settings if ignored else 'extra_float_digits'}\n"
    )
    user = ["--user", "nobody"] if os.getuid() == 0 else []  # it refuses to run as root
    command = [str(PGBOUNCER), *user, str(folder / "ini")]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL), folder


async def _listening(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise AssertionError("PgBouncer does not listen")
