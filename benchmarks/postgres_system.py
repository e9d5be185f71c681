"""Hookplane on PostgreSQL as users run it: a database, receivers, a dispatcher, and `hookplane
apply --watch` in the operator's place, each a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Final, Self

from benchmarks.machine import Usage, on_cores, usage
from benchmarks.manifests import Manifest, text
from support.cluster.ports import free_port
from support.postgres.server import PostgresServer, require_binaries

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.05
_SETTINGS: Final = {"shared_buffers": "512MB", "max_wal_size": "2GB"}
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class PostgresSystem:
    """Like `System`, for the scenarios."""

    def __init__(
        self,
        folder: Path,
        cores: frozenset[int],
        *,
        receivers: int = 1,
        files: Mapping[str, Sequence[Manifest]] | None = None,
    ) -> None:
        """`files`: manifests besides those that are applied, by name of their file."""
        self._folder = folder
        self._cores = cores
        self._listen = [free_port() for _ in range(receivers)]
        self._manifests = folder / "manifests"
        self._manifests.mkdir(parents=True, exist_ok=True)
        with on_cores(cores):
            self.server = PostgresServer(require_binaries(), _SETTINGS)
        self._keys = folder / "keys"
        self._processes: list[subprocess.Popen[bytes]] = []
        for name, manifests in (files or {}).items():
            self.apply(name, *manifests)

    def apply(self, name: str, *manifests: Manifest) -> None:
        """Puts a file in place; a running system takes it in by itself."""
        draft = self._manifests / f".{name}.draft"
        draft.write_text(text(*manifests))
        draft.replace(self._manifests / f"{name}.yaml")

    def remove(self, name: str) -> None:
        (self._manifests / f"{name}.yaml").unlink()

    def start(self) -> Self:
        """Starts everything and waits until it serves. Raises RuntimeError."""
        with on_cores(self._cores):
            self.server.create().start()
            self._keys.write_text(self._run("secret-key"))
            self._run("migrate")
            self._run("apply", "-f", str(self._manifests))
            admins = [free_port() for _ in range(len(self._listen) + 1)]
            for port, admin in zip(self._listen, admins, strict=False):
                self._spawn("receiver", listen=port, admin=admin)
            self._spawn("dispatcher", admin=admins[-1])
            self._spawn("apply", "-f", str(self._manifests), "--watch")
        for admin in admins:
            self._until_ready(admin)
        return self

    def add_dispatcher(self) -> None:
        """One more; returns when it is ready. Raises RuntimeError."""
        admin = free_port()
        with on_cores(self._cores):
            self._spawn("dispatcher", admin=admin)
        self._until_ready(admin)

    def endpoint(self, name: str, receiver: int = 0) -> str:
        """Its URL at one of the receivers."""
        return f"http://127.0.0.1:{self._listen[receiver]}/default/{name}"

    def usage(self) -> Usage:
        """Of all processes, the database's included."""
        pids = [process.pid for process in self._processes]
        found = [usage(pid) for pid in pids] + self._used_by_database()
        ended = _of_ended_children(self.server.pid)
        return Usage(
            sum(x.cpu for x in found) + ended,
            sum(x.resident for x in found),
            sum(x.most_resident for x in found),
        )

    def cpu_of_database(self) -> float:
        """Seconds."""
        found = sum(used.cpu for used in self._used_by_database())
        return found + _of_ended_children(self.server.pid)

    def query(self, statement: str) -> str:
        """What psql prints for one value."""
        dsn = ["-h", "127.0.0.1", "-p", str(self.server.port), "-U", "postgres"]
        return self.server.run("psql", *dsn, "-Atc", statement).strip()

    def _used_by_database(self) -> list[Usage]:
        """One that ends meanwhile counts among the ended children."""
        found = []
        for pid in self._database():
            with contextlib.suppress(OSError):
                found.append(usage(pid))
        return found

    def _database(self) -> list[int]:
        found = [self.server.pid]
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self.server.pid:
                found.append(int(folder.name))
        return found

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "HOOKPLANE_STORE": self.server.dsn(),
            "HOOKPLANE_SEALING_KEYS_FILE": str(self._keys),
            "HOOKPLANE_ALLOW_LOOPBACK": "true",
            "HOOKPLANE_LOG": "quiet",
        }

    def _run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "hookplane_cli", *arguments]
        done = subprocess.run(
            command,
            check=False,
            env=self._environment(),
            cwd=self._folder,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        return done.stdout

    def _spawn(self, *arguments: str, listen: int = 0, admin: int = 0) -> None:
        ports = {
            "HOOKPLANE_LISTEN": f"127.0.0.1:{listen}",
            "HOOKPLANE_HEALTH": f"127.0.0.1:{admin}",
        }
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "hookplane_cli", *arguments],
                env=self._environment() | ports,
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)

    def _until_ready(self, admin: int) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            connection = HTTPConnection("127.0.0.1", admin, timeout=5)
            try:
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            finally:
                connection.close()
            time.sleep(_LOOK_SECONDS)
        raise RuntimeError(f"it did not get ready: {self.output()}")

    def output(self) -> str:
        """What it printed; with a quiet activity these are problems."""
        return (self._folder / "log").read_text(errors="replace")

    def stop(self) -> None:
        """SIGTERM; what does not end is killed. The database is removed."""
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.server.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _of_ended_children(pid: int) -> float:
    fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / _TICKS
