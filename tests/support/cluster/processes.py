"""Receivers and dispatchers as processes of their own on one PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
import signal
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp

from support.clocks.until import PATIENCE
from support.cluster.ports import free_port
from support.cluster.shifted_wall import write_shift

KEY = b64encode(b"a key that both sides have: 32 B").decode()

ENDPOINT = f"""
apiVersion: v1
kind: Secret
metadata: {{name: shared}}
stringData: {{key: whsec_{KEY}}}
---
apiVersion: hookplane.dev/v1alpha1
kind: WebhookEndpoint
metadata: {{name: in}}
spec: {{verification: {{keys: [{{secretKeyRef: {{name: shared, key: key}}}}]}}}}
"""

SUBSCRIPTION = """
apiVersion: hookplane.dev/v1alpha1
kind: WebhookSubscription
metadata: {{name: s{number}}}
spec:
  endpointRefs: [{{name: in}}]
  target: {{url: "{url}/s{number}"}}
  delivery: {{retry: {{schedule: [500ms, 500ms, 1s, 1s, 1s, 1s]}}}}
"""


def signed(event: str, body: bytes, key: str = KEY) -> dict[str, str]:
    """Headers of a Standard Webhooks request that arrives now."""
    now = str(int(time.time()))
    content = f"{event}.{now}.".encode() + body
    mac = b64encode(hmac.new(b64decode(key), content, hashlib.sha256).digest()).decode()
    return {"webhook-id": event, "webhook-timestamp": now, "webhook-signature": f"v1,{mac}"}


class Process:
    """One `hookplane` process; it may be started again."""

    def __init__(self, role: str, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.role = role
        self.name = name
        self.listen, self.admin = free_port(), free_port()
        self.log = folder / f"{name}.log"
        self._environment = {
            **environment,
            "HOOKPLANE_INSTANCE": name,
            "HOOKPLANE_LISTEN": f"127.0.0.1:{self.listen}",
            "HOOKPLANE_HEALTH": f"127.0.0.1:{self.admin}",
        }
        self._wall = folder / f"{name}.wall"
        self.process: asyncio.subprocess.Process | None = None

    def shift_wall_clock(self, millis: int) -> None:
        """Sets its time of day wrong; it stays so when it is started again. Only for a process that
        was made `with_wall_clock`."""
        write_shift(self._wall, millis)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listen}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def with_wall_clock(self) -> Self:
        """Gives it a time of day of its own, right for now."""
        self.shift_wall_clock(0)
        return self

    async def spawn(self) -> Self:
        under = ("-m", "support.cluster.shifted_wall", str(self._wall))
        module = (*under, "hookplane_cli") if self._wall.exists() else ("-m", "hookplane_cli")
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *module,
                self.role,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        return self

    async def start(self) -> Self:
        """Returns when it is ready."""
        await self.spawn()
        await self.until_ready()
        return self

    async def until_ready(self) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            assert self.process is not None
            if self.process.returncode is not None:
                raise AssertionError(f"{self.name} ended: {self.output()}")
            if await self.is_ready():
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{self.name} is not ready: {self.output()}")

    async def is_ready(self) -> bool:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
                session.get(f"http://127.0.0.1:{self.admin}/readyz") as answer,
            ):
                return answer.status == 200
        return False

    def send(self, sent: signal.Signals) -> None:
        os.kill(self.pid, sent)

    async def kill(self) -> None:
        """`kill -9`."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), PATIENCE)

    def output(self) -> str:
        return self.log.read_text(errors="replace")


class Cluster:
    """Everything on one database but the database."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.folder = folder
        self.manifests = folder / "manifests"
        self.manifests.mkdir(parents=True, exist_ok=True)
        keys = folder / "keys"
        keys.write_text(f"k1:{'ab' * 32}\n")
        self.environment = {
            **{name: value for name, value in os.environ.items() if "HOOKPLANE" not in name},
            "HOOKPLANE_STORE": dsn,
            "HOOKPLANE_SEALING_KEYS_FILE": str(keys),
            "HOOKPLANE_ALLOW_LOOPBACK": "true",
            "HOOKPLANE_GRACE": "10s",
        }
        self.processes: dict[str, Process] = {}

    async def run(self, *arguments: str) -> tuple[int, str]:
        """A command of `hookplane`: its exit code and all that it prints."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hookplane_cli",
            *arguments,
            env=self.environment,
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
        return process.returncode or 0, output.decode()

    async def apply(self, *options: str) -> str:
        code, output = await self.run("apply", "-f", str(self.manifests), *options)
        assert code == 0, output
        return output

    async def add(
        self, role: str, name: str, dsn: str | None = None, *, wall_clock: bool = False
    ) -> Process:
        """`dsn`: a way of its own to the database, such as a proxy. `wall_clock`: see
        `Process.shift_wall_clock`."""
        environment = {**self.environment, **({"HOOKPLANE_STORE": dsn} if dsn else {})}
        process = self.processes[name] = Process(role, name, self.folder, environment)
        if wall_clock:
            process.with_wall_clock()
        return await process.start()

    async def close(self) -> None:
        for process in self.processes.values():
            with contextlib.suppress(AssertionError, ProcessLookupError):
                process.send(signal.SIGCONT)
            await process.kill()


@asynccontextmanager
async def cluster(folder: Path, dsn: str) -> AsyncIterator[Cluster]:
    made = Cluster(folder, dsn)
    try:
        yield made
    finally:
        await made.close()


async def post(
    session: aiohttp.ClientSession, url: str, event: str, body: bytes, endpoint: str = "in"
) -> tuple[int, Mapping[str, Any]]:
    """Status and headers of the answer."""
    path = f"{url}/default/{endpoint}"
    async with session.post(path, data=body, headers=signed(event, body)) as answer:
        await answer.read()
        return answer.status, answer.headers
