"""The options that all client commands share, and what becomes of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import orjson

from hookplane_cli.client.admin import AdminClient
from hookplane_cli.client.run_file import admin_url
from hookplane_cli.options import data_option, namespace_option


@dataclass(frozen=True, slots=True)
class Session:
    """What a client command works with: the admin API, and how to print what it answers."""

    client: AdminClient
    namespace: str
    json: bool

    def show(self, data: Any, text: Callable[[], str]) -> None:
        """`data` for machines, or the text that people get."""
        click.echo(orjson.dumps(data).decode() if self.json else text())


def client_command(function: Callable[..., None]) -> Callable[..., None]:
    """Adds --admin, --data, --namespace and --json; the function gets a Session first."""

    @functools.wraps(function)
    def run(admin: str | None, data: Path, namespace: str, as_json: bool, **given: Any) -> None:
        function(Session(AdminClient(admin_url(admin, data)), namespace, as_json), **given)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run


_OPTIONS: Final = (
    click.option("--admin", metavar="URL", envvar="HOOKPLANE_ADMIN", help="Its admin address."),
    data_option,
    namespace_option,
    click.option("--json", "as_json", is_flag=True, help="One JSON value, for machines."),
)
