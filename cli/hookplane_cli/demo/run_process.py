"""`hookplane run` as a child process of the demo."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import click

from hookplane_cli.client.run_file import run_facts

READY_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.1
STOP_SECONDS: Final = 20.0
"""After this a child that does not end is killed."""


class RunProcess:
    """A process in a group of its own: Ctrl-C reaches the demo alone, which then ends the child."""

    def __init__(self, process: asyncio.subprocess.Process, data: Path) -> None:
        self._process = process
        self._data = data

    @classmethod
    async def start(cls, arguments: Sequence[str], data: Path) -> Self:
        """Starts it; what it prints goes where the demo's output goes."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "hookplane_cli", "run", *arguments, "--data", str(data)),
            stdin=asyncio.subprocess.DEVNULL,
            process_group=0,
        )
        return cls(process, data)

    async def ready(self) -> dict[str, Any]:
        """Waits until it serves; its URLs. Raises click.ClickException when it ends or takes too
        long."""
        loop = asyncio.get_running_loop()
        end = loop.time() + READY_SECONDS
        while loop.time() < end:
            if self._process.returncode is not None:
                raise click.ClickException("hookplane run ended; it says why above")
            if facts := self._facts():
                return facts
            await asyncio.sleep(POLL_SECONDS)
        raise click.ClickException(f"hookplane run is not ready after {READY_SECONDS:.0f} s")

    def _facts(self) -> dict[str, Any] | None:
        try:
            facts = run_facts(self._data)
        except click.ClickException:
            return None
        return facts if facts["pid"] == self._process.pid else None

    async def ended(self) -> int:
        """Waits for its end; the exit code."""
        return await self._process.wait()

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
