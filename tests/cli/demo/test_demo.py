"""The demo: its parts, and all of it as a process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from hookplane_cli.demo.demo import FILES, TARGET, check_free, manifests
from hookplane_cli.demo.tour import Inbox
from hookplane_cli.sink.arrival import Arrival
from hookplane_cli.sink.check import Signature

ROOT = Path(__file__).parents[3]
PATIENCE = 90.0
"""Seconds; the retry in the middle of the tour takes five."""


@pytest.fixture
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_the_examples_are_run_themselves(at_root: None, tmp_path: Path) -> None:
    assert manifests(TARGET, tmp_path) == FILES


def test_with_the_sink_elsewhere_copies_deliver_there(at_root: None, tmp_path: Path) -> None:
    copies = manifests("http://127.0.0.1:4242", tmp_path)
    assert [copy.parent for copy in copies] == [tmp_path / "demo"] * 2
    text = copies[0].read_text()
    assert "http://127.0.0.1:4242/orders" in text
    assert TARGET not in text


def test_elsewhere_it_says_where_to_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(click.ClickException, match="run the demo in Hookplane's folder"):
        manifests(TARGET, tmp_path)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_in_use_is_said(taken_port: int) -> None:
    with pytest.raises(click.ClickException, match="is in use; give another one with --admin"):
        check_free(("127.0.0.1", taken_port), "--admin")


def arrival(event: str, attempt: int) -> Arrival:
    return Arrival(0, "/", event, "", 0, Signature.OK, attempt, False, 200)


async def test_the_inbox_waits_for_an_attempt() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.wait_for_attempt("evt_1", 2))
    for event, number in (("evt_1", 1), ("evt_2", 2), ("evt_1", 2)):
        await asyncio.sleep(0)
        assert not waiting.done()
        inbox.record(arrival(event, number))
    await asyncio.wait_for(waiting, 30)


async def finish(process: asyncio.subprocess.Process) -> str:
    """Interrupts it as Ctrl-C does, and returns what it still said."""
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    rest = await asyncio.wait_for(process.stdout.read(), PATIENCE)
    await process.wait()
    return rest.decode()


async def until_said(process: asyncio.subprocess.Process, text: str) -> str:
    assert process.stdout is not None
    said = ""
    async with asyncio.timeout(PATIENCE):
        while text not in said:
            line = await process.stdout.readline()
            assert line, said
            said += line.decode()
    return said


async def start(folder: Path, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hookplane_cli", "demo", "--data", str(folder), *options),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


ANY = ("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--sink", "127.0.0.1:0")


@pytest.mark.slow
async def test_the_tour(tmp_path: Path) -> None:
    process = await start(tmp_path, *ANY)
    said = await until_said(process, "That was it")
    lines = said.splitlines()
    for verb in ("received", "delivered", "rejected", "failed", "sink"):
        assert [line for line in lines if line[9:].startswith(verb)], said
    assert "signature ok" in said
    assert "answered 503" in said
    assert "attempt 2   answered 200" in said
    await finish(process)
    assert process.returncode == 0
    assert not (tmp_path / "run.json").exists()  # the child ended by itself, in order


async def test_a_port_in_use_ends_it_at_once(tmp_path: Path, taken_port: int) -> None:
    process = await start(tmp_path, *ANY[:4], "--sink", f"127.0.0.1:{taken_port}")
    assert process.stdout is not None
    said = (await asyncio.wait_for(process.stdout.read(), PATIENCE)).decode()
    assert await process.wait() == 1
    assert "is in use; give another one with --sink" in said
    assert "Traceback" not in said
