"""`hookplane apply`: plays the operator's part for processes that run without Kubernetes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, Protocol

import click

from hookplane.clock import SystemClock
from hookplane.compile.change import Configured, kind_of
from hookplane.compile.model import Options
from hookplane.errors import HookplaneError, InvalidValue
from hookplane.sealing_keys import read_sealing_keys
from hookplane.store.config_store import ConfigStore
from hookplane.store.process_registry import Member, ProcessRegistry
from hookplane.store.protocol import Store
from hookplane.units import parse_duration
from hookplane_cli.human import counted
from hookplane_cli.local.follow import Follower
from hookplane_cli.local.reload import Loaded, Reloader
from hookplane_cli.local.secret_files import SecretFiles
from hookplane_cli.options import (
    DEFAULT_DATA,
    ServiceType,
    labelled_secrets_option,
    manifests_option,
    store_option,
)
from hookplane_cli.process.settings import StoreSettings, compile_options, store_settings
from hookplane_cli.serving.loop import run_until, run_until_signal

_NEWER_THAN_ALL: Final = (1 << 63) - 1
_LOOK_SECONDS: Final = 0.1


@click.command(name="apply")
@manifests_option
@store_option
@click.option(
    "--secrets",
    "data",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_DATA,
    show_default=True,
    help="Folder for generated keys; keep it, whoever applies next needs it.",
)
@click.option(
    "--service",
    "services",
    type=ServiceType(),
    multiple=True,
    help="Where a Service is, such as bot=http://10.0.0.5:9000.",
)
@click.option("--public-url", help="The URL that providers see, for those that sign it.")
@click.option(
    "--receiver-tls",
    is_flag=True,
    help="Receivers end TLS themselves, so client certificates can be asked for.",
)
@labelled_secrets_option
@click.option("--prune", is_flag=True, help="Delete what is in force and not in the manifests.")
@click.option("--watch", is_flag=True, help="Follow the files until Ctrl-C; deletes like --prune.")
@click.option("--wait", default="0s", help="How long to wait until it is in force everywhere.")
def command(
    sources: tuple[Path, ...],
    store: str | None,
    data: Path,
    services: tuple[tuple[str, str], ...],
    public_url: str | None,
    receiver_tls: bool,
    labelled_secrets: bool,
    prune: bool,
    watch: bool,
    wait: str,
) -> None:
    """Bring manifests into force on a PostgreSQL store.

    Only what changed is written. Objects that are wrong are named and left as they were; the exit
    code is 1 then. Needs HOOKPLANE_SEALING_KEYS_FILE.
    """
    try:
        options = compile_options(
            dict(services),
            public_url,
            receiver_tls=receiver_tls,
            labelled_secrets=labelled_secrets,
        )
        applier = _Applier(sources, store_settings("apply", store), data, options)
        seconds = parse_duration(wait) / 1000
        if watch:
            run_until_signal(applier.watch)
            return
        clean = asyncio.run(applier.apply(prune, seconds))
    except (HookplaneError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if not clean:
        raise SystemExit(1)


class _VersionStore(ConfigStore, ProcessRegistry, Protocol):
    """What it takes to see which version is in force where."""


class _Applier:
    def __init__(
        self, sources: tuple[Path, ...], settings: StoreSettings, data: Path, options: Options
    ) -> None:
        if settings.keys is None:
            raise InvalidValue(
                "HOOKPLANE_SEALING_KEYS_FILE: it is missing; name the file that the processes have"
            )
        for source in sources:
            if not source.exists():
                raise InvalidValue(f"{source}: there is no such file or folder")
        self._sources = sources
        self._settings = settings
        self._sealer = read_sealing_keys(settings.keys)
        self._generated = SecretFiles(data)
        self._options = options
        self._clock = SystemClock()

    async def apply(self, prune: bool, wait: float) -> bool:
        """Brings the manifests into force once. Whether there were no problems."""
        async with AsyncExitStack() as stack:
            store = await self._open(stack)
            reloader = await self._reloader(store)
            loaded = await reloader.load()
            _tell(loaded)
            if loaded.missing and prune:
                deleted = await self._prune(reloader, loaded)
                _tell_deleted(deleted)
            elif loaded.missing:
                names = ", ".join(map(_name, loaded.missing))
                click.echo(f"not in the manifests, still in force: {names} (--prune deletes them)")
            in_force = not wait or await _everywhere(store, wait)
        return in_force and not loaded.report.problems

    async def watch(self, stopped: asyncio.Event) -> None:
        """Brings the manifests into force after each change, until `stopped`."""
        async with AsyncExitStack() as stack:
            reloader = await self._reloader(await self._open(stack))
            loaded = await reloader.load()
            _tell(loaded)
            follower = Follower(
                reloader, self._clock, _tell, lambda text: click.echo(text, err=True)
            )
            await run_until(stopped, follower.run(self._sources, loaded.again_at))

    async def _open(self, stack: AsyncExitStack) -> Store:
        store = await self._settings.driver.open(self._settings.access, self._clock)
        stack.push_async_callback(store.close)
        return store

    async def _reloader(self, store: Store) -> Reloader:
        reloader = Reloader(
            sources=self._sources,
            store=store,
            sealer=self._sealer,
            generated=self._generated,
            options=self._options,
            clock=self._clock,
        )
        await reloader.restore()
        return reloader

    async def _prune(self, reloader: Reloader, loaded: Loaded) -> list[Configured]:
        """Deletes what a second load does not find either; returns it."""
        deleted: list[Configured] = []
        while loaded.missing:
            due = loaded.again_at or self._clock.now()
            await asyncio.sleep(max(due - self._clock.now(), 0) / 1000)
            loaded = await reloader.load()
            deleted += loaded.change.deleted
        return deleted


async def _everywhere(store: _VersionStore, wait: float) -> bool:
    """Whether all live processes bring the newest version into force in time; says who does not."""
    version, _ = await store.load_config(_NEWER_THAN_ALL)
    members = await _caught_up(store, version, wait)
    late = [f"{x.role} {x.instance}" for x in members if x.presence.version < version]
    refused = [
        f"{x.role} {x.instance} refused {uid}: {why}"
        for x in members
        for uid, why in x.presence.refused.items()
    ]
    if late:
        click.echo(f"version {version} is not in force yet at: {', '.join(late)}", err=True)
    for line in refused:
        click.echo(line, err=True)
    if not (late or refused):
        places = counted(len(members), "place")
        click.echo(f"version {version} is in force in {places}")
    return not (late or refused)


async def _caught_up(store: _VersionStore, version: int, wait: float) -> list[Member]:
    """All live processes, as soon as they have this version or when the time is over."""
    end = time.monotonic() + wait
    members = await store.members()
    while time.monotonic() < end and any(x.presence.version < version for x in members):
        await asyncio.sleep(_LOOK_SECONDS)
        members = await store.members()
    return members


def _tell(loaded: Loaded) -> None:
    change = loaded.change.of_users()
    for word, documents in (("created", change.created), ("changed", change.changed)):
        for document in documents:
            note = f" (not ready: {document.not_ready})" if document.not_ready else ""
            click.echo(f"{word} {_name(document)}{note}")
    _tell_deleted(change.deleted)
    for name in loaded.replays:
        click.echo(f"replay {name} begun")
    for finding in loaded.report.problems:
        click.echo(str(finding), err=True)
    if not change:
        click.echo("nothing changed")


def _tell_deleted(documents: Iterable[Configured]) -> None:
    for document in documents:
        click.echo(f"deleted {_name(document)}")


def _name(document: Configured) -> str:
    return f"{kind_of(document)} {document.namespace}/{document.name}"
