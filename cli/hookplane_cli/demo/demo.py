"""Starts what the demo needs, gives the tour, and ends everything again."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from hookplane.clock import SystemClock
from hookplane.errors import InvalidValue
from hookplane_cli.client.admin import AdminClient
from hookplane_cli.demo.run_process import RunProcess
from hookplane_cli.demo.tour import Inbox, Stage, tour
from hookplane_cli.options import DEFAULT_DATA, address_taken
from hookplane_cli.serving.loop import on_signals
from hookplane_cli.sink.arrival import Arrival, text_line
from hookplane_cli.sink.behaviour import WELL_BEHAVED
from hookplane_cli.sink.check import Checker
from hookplane_cli.sink.secrets import read_secrets
from hookplane_cli.sink.sink import Sink

Address = tuple[str, int]
FILES: Final = (Path("examples/quickstart.yaml"), Path("examples/github.yaml"))
TARGET: Final = "http://127.0.0.1:9000"
"""Where the subscription in them delivers to."""
TRY: Final = (
    ("trigger orders", "send another event"),
    ("status", "is everything working?"),
    ("deliveries --state dead", "what could not be delivered"),
    ("replay orders-to-shop --since 1h --state all", "deliver again"),
)


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """Addresses and the data folder."""

    data: Path
    listen: Address
    admin: Address
    sink: Address


async def demo(settings: DemoSettings, program: str) -> None:
    """Runs until a signal comes. Raises click.ClickException when something ends by itself.

    `program`: what to type for `hookplane`.
    """
    stopped = asyncio.Event()
    on_signals(asyncio.get_running_loop(), lambda _: stopped.set())
    check_free(settings.listen, "--listen")
    check_free(settings.admin, "--admin")
    inbox = Inbox()
    async with AsyncExitStack() as stack:
        sink = _sink(inbox)
        stack.push_async_callback(sink.stop)
        files = await _listening(settings, sink)
        process = await RunProcess.start(_arguments(settings, files), settings.data)
        stack.push_async_callback(process.stop)
        show = asyncio.create_task(_show(settings, files, process, sink, inbox, program))
        await _until_stopped(stopped, process, show)


def check_free(address: Address, option: str) -> None:
    """Raises click.ClickException when something else listens there."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address[0].strip("[]"), address[1]))
        except OSError as error:
            raise address_taken(address, option, error) from error


def _sink(inbox: Inbox) -> Sink:
    def arrived(arrival: Arrival) -> None:
        click.echo(text_line(arrival))
        inbox.record(arrival)

    return Sink(
        checker=Checker([]),
        behaviour=WELL_BEHAVED,
        clock=SystemClock(),
        random=random.Random(),  # noqa: S311 - chance, not secrecy
        arrived=arrived,
    )


async def _listening(settings: DemoSettings, sink: Sink) -> tuple[Path, ...]:
    """Starts the sink; the manifests whose subscriptions deliver to it."""
    try:
        url = await sink.start(*settings.sink)
    except OSError as error:
        raise address_taken(settings.sink, "--sink", error) from error
    return manifests(url, settings.data)


def manifests(sink_url: str, data: Path) -> tuple[Path, ...]:
    """The example files themselves, so that editing them shows at once; with the sink elsewhere,
    copies in the data folder that deliver there. Raises click.ClickException."""
    for file in FILES:
        if not file.is_file():
            raise click.ClickException(f"{file} is not here; run the demo in Hookplane's folder")
    if sink_url == TARGET:
        return FILES
    folder = data / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(_copy(file, folder / file.name, sink_url) for file in FILES)


def _copy(source: Path, target: Path, sink_url: str) -> Path:
    target.write_text(source.read_text().replace(TARGET, sink_url))
    return target


def _arguments(settings: DemoSettings, files: Sequence[Path]) -> list[str]:
    """The arguments of `hookplane run`."""
    sources = [part for file in files for part in ("-f", str(file))]
    listen, admin = (f"{host}:{port}" for host, port in (settings.listen, settings.admin))
    return [*sources, "--listen", listen, "--admin", admin]


async def _show(
    settings: DemoSettings,
    files: Sequence[Path],
    process: RunProcess,
    sink: Sink,
    inbox: Inbox,
    program: str,
) -> None:
    facts = await process.ready()
    sink.checker = _checker(settings.data)
    client = AdminClient(facts["admin"])
    await tour(Stage(client, facts["url"], sink, inbox), click.echo)
    click.echo(_try(settings, files, program, facts["url"]))


def _checker(data: Path) -> Checker:
    """Knows the secret that `hookplane run` generated for the subscription."""
    try:
        file = data / "secrets" / "default" / "orders-to-shop-signing.json"
        return Checker(read_secrets(None, file))
    except InvalidValue as error:
        raise click.ClickException(str(error)) from error


def _try(settings: DemoSettings, files: Sequence[Path], program: str, url: str) -> str:
    own = "" if str(settings.data) == DEFAULT_DATA else f" --data {settings.data}"
    lines = [(f"{program} {words}{own}", meaning) for words, meaning in TRY]
    lines.append((f"curl -i {url}/default/orders -d '{{}}'", "not signed: 401"))
    width = max(len(command) for command, _ in lines)
    shown = "\n".join(f"   {command:<{width}}   {meaning}" for command, meaning in lines)
    return f"""
That was it. All of this keeps running until Ctrl-C. Try, in another terminal:
{shown}
Or edit {files[0]}: it is read again when you save it.
"""


async def _until_stopped(
    stopped: asyncio.Event, process: RunProcess, show: asyncio.Task[None]
) -> None:
    waiting = asyncio.create_task(stopped.wait())
    ended = asyncio.create_task(process.ended())
    tasks: set[asyncio.Task[object]] = {waiting, ended, show}
    try:
        while not waiting.done():
            done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if show in done:
                show.result()
            if ended in done and not waiting.done():
                raise click.ClickException("hookplane run ended; it says why above")
    finally:
        for task in (waiting, ended, show):
            task.cancel()
        await asyncio.gather(waiting, ended, show, return_exceptions=True)
