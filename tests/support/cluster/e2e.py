"""A `hookplane run` as a process of its own, and a subscriber that really listens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
from aiohttp import web

from support.clocks.until import PATIENCE, until


@dataclass(frozen=True)
class Received:
    """A request as the subscriber saw it."""

    at: float
    """Seconds, monotonic."""
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> str:
        return self.headers["webhook-id"]


Answer = Callable[[Received], web.Response]


def ok(_: Received) -> web.Response:
    return web.Response(status=200)


@dataclass
class Subscriber:
    """Records requests; `answer` decides what each gets, `hold` keeps answers back while set."""

    url: str = ""
    answer: Answer = ok
    received: list[Received] = field(default_factory=list)
    hold: asyncio.Event | None = None
    concurrent: int = 0
    most_concurrent: int = 0

    async def serve(self, request: web.Request) -> web.Response:
        seen = Received(
            time.monotonic(),
            request.path,
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
        )
        self.received.append(seen)
        self.concurrent += 1
        self.most_concurrent = max(self.most_concurrent, self.concurrent)
        try:
            if self.hold is not None:
                await self.hold.wait()
            return self.answer(seen)
        finally:
            self.concurrent -= 1

    @property
    def events(self) -> list[str]:
        return [seen.event for seen in self.received]


@asynccontextmanager
async def subscriber() -> AsyncIterator[Subscriber]:
    """A subscriber on a free port of the loopback."""
    app = web.Application(client_max_size=32 << 20)
    recorder = Subscriber()
    app.router.add_route("*", "/{tail:.*}", recorder.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    recorder.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield recorder
    finally:
        await runner.cleanup()


KEYED_ENDPOINT: Final = """
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {key: generic-secret}
---
apiVersion: hookplane.dev/v1alpha1
kind: WebhookEndpoint
metadata: {name: in}
spec:
"""
"""Its spec is to follow, which may refer to the key."""


class Plane:
    """`hookplane run` on a folder of manifests and a data folder."""

    def __init__(self, folder: Path) -> None:
        self.manifests = folder / "manifests"
        self.data = folder / "data"
        self.log = folder / "log"
        self.manifests.mkdir(parents=True, exist_ok=True)
        self.process: asyncio.subprocess.Process | None = None
        self._pid = 0
        self.url = ""
        self.admin = ""

    def write(self, name: str, text: str) -> None:
        """Puts a manifest in place at once, as editors do."""
        draft = self.manifests / f".{name}.draft"
        draft.write_text(text)
        draft.replace(self.manifests / f"{name}.yaml")

    async def start(
        self, *options: str, files: tuple[str, ...] = (), under: tuple[str, ...] = ()
    ) -> Self:
        """`under`: a program that runs it, such as strace."""
        (self.data / "run.json").unlink(missing_ok=True)
        self._pid = 0
        sources = files or (str(self.manifests),)
        command = [*under, sys.executable, "-m", "hookplane_cli", "run"]
        command += [part for source in sources for part in ("-f", source)]
        command += ["--data", str(self.data), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command, *options, stdout=log, stderr=log
            )
        facts = await until(self._ready, f"hookplane run to be ready: {self.log}")
        self.url, self.admin = facts["url"], facts["admin"]
        return self

    def _ready(self) -> dict[str, Any] | None:
        assert self.process is not None
        if self.process.returncode is not None:
            raise AssertionError(f"hookplane run ended: {self.output()}")
        try:
            facts: dict[str, Any] = json.loads((self.data / "run.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        self._pid = int(facts["pid"])
        return facts

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    async def kill(self) -> None:
        """`kill -9`."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid or self.process.pid, signal.SIGKILL)
        await self.process.wait()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal that asks it to end; the exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            os.kill(self._pid, number)
        return await asyncio.wait_for(self.process.wait(), PATIENCE)

    async def post(
        self, endpoint: str, body: bytes, headers: dict[str, str], query: str = ""
    ) -> tuple[int, bytes]:
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.post(
                f"{self.url}/default/{endpoint}{query}", data=body, headers=headers
            ) as answer,
        ):
            return answer.status, await answer.read()

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and answer of the admin API."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.admin}/api/v1{path}", json=body) as answer,
        ):
            return answer.status, await answer.json()

    async def api(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of the admin API, which must be a good one."""
        status, answer = await self.ask(method, path, body)
        assert status < 300, answer
        return answer

    async def until_api(self, path: str, condition: Callable[[Any], Any], what: str) -> Any:
        """Asks the admin API until the thing is there and the condition holds for it."""

        async def answer() -> Any:
            status, found = await self.ask("GET", path)
            return found if status == 200 and condition(found) else None

        return await until(answer, what)

    async def until_answered(self, path: str, wanted: int) -> None:
        """Waits until the admin API answers so."""

        async def is_so() -> bool:
            return (await self.ask("GET", path))[0] == wanted

        await until(is_so, f"{path} to be answered {wanted}")


@asynccontextmanager
async def plane(folder: Path) -> AsyncIterator[Plane]:
    """A plane that is ended with the test, whatever happened."""
    running = Plane(folder)
    try:
        yield running
    finally:
        if running.process is not None and running.process.returncode is None:
            await running.kill()
