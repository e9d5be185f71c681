"""`hookplane migrate`: brings a PostgreSQL database up to the newest schema."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import click

from hookplane.errors import HookplaneError, StoreUnavailable
from hookplane.units import parse_duration
from hookplane_cli.options import store_option
from hookplane_cli.process.settings import StoreSettings, store_settings

_LOOK_SECONDS: Final = 0.5


@click.command(name="migrate")
@store_option
@click.option("--wait", default="0s", help="How long to wait for a database that is not up yet.")
def command(store: str | None, wait: str) -> None:
    """Create or bring up to date what Hookplane keeps in a PostgreSQL database.

    Run it as the owner of the database, before a newer version starts. Processes of the version
    before go on while and after it runs. Several at once do no harm.
    """
    try:
        settings = store_settings("migrate", store)
        before, after = asyncio.run(_migrate(settings, parse_duration(wait) / 1000))
    except (HookplaneError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"schema {after}" + ("" if before == after else f", was {before}"))


async def _migrate(settings: StoreSettings, wait: float) -> tuple[int, int]:
    end = time.monotonic() + wait
    while True:
        try:
            return await settings.driver.migrate(settings.access)
        except StoreUnavailable:
            if time.monotonic() >= end:
                raise
            await asyncio.sleep(_LOOK_SECONDS)
