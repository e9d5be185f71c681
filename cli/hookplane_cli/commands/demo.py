"""`hookplane demo`: what `make run` starts."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

import click

from hookplane_cli.demo.demo import DemoSettings, demo
from hookplane_cli.options import (
    AddressType,
    data_option,
)


@click.command(name="demo")
@click.option("--listen", type=AddressType(), default="127.0.0.1:8080", show_default=True)
@click.option("--admin", type=AddressType(), default="127.0.0.1:8081", show_default=True)
@click.option("--sink", type=AddressType(), default="127.0.0.1:9000", show_default=True)
@data_option
def command(
    listen: tuple[str, int], admin: tuple[str, int], sink: tuple[str, int], data: Path
) -> None:
    """A tour on this machine: a plane, a subscriber, and sample events that flow between them."""
    asyncio.run(demo(DemoSettings(data, listen, admin, sink), _program()))


def _program() -> str:
    """What to type to call this program."""
    if shutil.which("hookplane"):
        return "hookplane"
    return os.path.relpath(sys.argv[0]) if sys.argv[0].endswith("hookplane") else "hookplane"
