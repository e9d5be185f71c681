"""What was acknowledged is there, however the process ended."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hookplane.store.sqlite.driver import SQLiteStore
from hookplane.store.sqlite.worker import EXIT_CODE
from support.clocks.manual import ManualClock
from support.cluster.missing import left_out
from support.planes.store import closing_store

PROGRAM = Path(__file__).with_name("append_until_killed.py")
TIMEOUT = 60.0


FAILING_SYNC = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync",
    "-e", "inject=fdatasync,fsync:error=EIO:when=40+")  # fmt: skip
"""The fortieth fsync of the process fails, and all after it."""


@asynccontextmanager
async def appending(
    *arguments: object, under: tuple[str, ...] = ()
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *under, sys.executable, PROGRAM, *map(str, arguments), stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def acknowledged(process: asyncio.subprocess.Process, number: int) -> list[str]:
    """So many ids, or fewer if the process ends; a torn last line does not count."""
    assert process.stdout is not None
    lines: list[bytes] = []
    async with asyncio.timeout(TIMEOUT):
        while len(lines) < number and (line := await process.stdout.readline()).endswith(b"\n"):
            lines.append(line)
    return [line.decode().strip() for line in lines]


async def stored(folder: Path) -> list[str]:
    """The log after a restart; sequences are dense."""
    async with closing_store(SQLiteStore.open(folder, ManualClock())) as store:
        log = await store.read_log("e", 0, 1_000_000)
        contents = await store.read_contents("e", [entry.sequence for entry in log[-50:]])
    assert [entry.sequence for entry in log] == list(range(1, len(log) + 1))
    assert len(contents) == min(50, len(log))
    return [entry.event_id for entry in log]


@pytest.mark.parametrize("number", [1, 60, 700])
async def test_kill_9_loses_nothing_acknowledged(tmp_path: Path, number: int) -> None:
    async with appending(tmp_path) as process:
        ids = await acknowledged(process, number)
        process.kill()
        ids += await acknowledged(process, 1_000_000)
    log = await stored(tmp_path)
    assert len(ids) >= number
    assert set(ids) <= set(log)
    assert len(set(log)) == len(log)


async def test_a_failed_write_ends_the_process_and_loses_nothing(tmp_path: Path) -> None:
    async with appending(tmp_path, 2 << 20) as process:
        ids = await acknowledged(process, 1_000_000)
        async with asyncio.timeout(TIMEOUT):
            assert await process.wait() == EXIT_CODE
    assert ids
    assert set(ids) <= set(await stored(tmp_path))


@pytest.mark.slow
async def test_a_failed_fsync_ends_the_process_and_loses_nothing(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        left_out("strace is not installed; scripts/test-tools installs it")
    async with appending(tmp_path, under=FAILING_SYNC) as process:
        ids = await acknowledged(process, 1_000_000)
        async with asyncio.timeout(TIMEOUT):
            assert await process.wait() == EXIT_CODE
    assert ids
    assert set(ids) <= set(await stored(tmp_path))
