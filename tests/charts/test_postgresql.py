"""How the bundled PostgreSQL starts: its script with real servers, without a container."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from support.cluster.ports import free_port
from support.postgres.server import require_binaries

SCRIPT = Path(__file__).parents[2] / "charts" / "hookplane" / "files" / "postgresql" / "start.sh"
START_SECONDS = 60.0
PASSWORD = "it's $HOME \\ "


class Pod:
    """What the StatefulSet makes of it: a volume, two mounted files, the script."""

    def __init__(self, programs: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hookplane-chart-"))
        self.data = self.folder / "volume" / "pgdata"
        self.data.parent.mkdir()
        self.port = free_port()
        self._user = "postgres" if os.getuid() == 0 else None
        self._environment = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "PGDATA": str(self.data),
            "SECRETS": str(self.folder),
        }
        self._process: subprocess.Popen[bytes] | None = None
        for path in (self.folder, self.data.parent):
            self.own(path)

    def own(self, path: Path) -> None:
        shutil.chown(path, self._user or os.getuid())

    def start(self, password: str) -> None:
        for name in ("password", "migration-password"):
            (self.folder / name).write_text(password, "utf-8")
        # a copy: the server's user need not be able to read the repository
        script = shutil.copy(SCRIPT, self.folder)
        settings = {"port": self.port, "unix_socket_directories": self.folder, "fsync": "off"}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", script, *(x for k, v in settings.items() for x in ("-c", f"{k}={v}"))],
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self.folder,
                user=self._user,
            )
        self._wait()

    def _wait(self) -> None:
        probe = ["pg_isready", "-q", "-h", str(self.folder), "-p", str(self.port), "-U", "postgres"]
        end = time.monotonic() + START_SECONDS
        while subprocess.run(probe, env=self._environment, check=False).returncode:
            assert self._process is not None
            alive = self._process.poll() is None and time.monotonic() < end
            assert alive, (self.folder / "log").read_text("utf-8", "replace")
            time.sleep(0.02)

    def stop(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(START_SECONDS)

    async def connect(
        self, user: str, password: str, host: str = "127.0.0.1"
    ) -> asyncpg.Connection:
        return await asyncpg.connect(
            host=host, port=self.port, user=user, password=password, database="hookplane"
        )


@pytest.fixture(scope="module")
def pod() -> Iterator[Pod]:
    pod = Pod(require_binaries())
    try:
        pod.start(PASSWORD)
        yield pod
    finally:
        pod.stop()
        shutil.rmtree(pod.folder)


async def test_the_data_plane_may_change_data_and_nothing_else(pod: Pod) -> None:
    owner = await pod.connect("hookplane_owner", PASSWORD)
    await owner.execute("create schema hookplane; create table hookplane.event (id int)")
    await owner.close()
    application = await pod.connect("hookplane", PASSWORD)
    await application.execute("insert into hookplane.event values (1)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await application.execute("alter table hookplane.event add column name text")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await application.execute("create table hookplane.other (id int)")
    await application.close()


async def test_the_superuser_is_only_let_in_from_inside(pod: Pod) -> None:
    await (await pod.connect("postgres", "", host=str(pod.folder))).close()
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await pod.connect("postgres", "")


async def test_nobody_gets_in_without_the_password(pod: Pod) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await pod.connect("hookplane", "")


async def test_it_starts_again_as_kubernetes_leaves_the_folder_and_with_a_new_secret(
    pod: Pod,
) -> None:
    pod.stop()
    pod.data.chmod(0o2770)
    pod.start("another")
    await (await pod.connect("hookplane", "another")).close()
    await (await pod.connect("hookplane_owner", "another")).close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await pod.connect("hookplane", PASSWORD)
    pod.stop()
    pod.start(PASSWORD)


def test_it_begins_anew_when_it_was_interrupted() -> None:
    pod = Pod(require_binaries())
    half = pod.data.with_name("pgdata.new")
    half.mkdir()
    (half / "PG_VERSION").write_text("15")
    pod.own(half)
    try:
        pod.start(PASSWORD)
        assert (pod.data / "PG_VERSION").exists()
        assert not half.exists()
        pod.stop()
    finally:
        shutil.rmtree(pod.folder)
