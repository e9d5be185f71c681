"""`--store`, for commands that work on a database."""

from __future__ import annotations

from typing import Final

import click

store_option: Final = click.option(
    "--store",
    metavar="DSN",
    help="postgresql://user@host:5432/database; without it HOOKPLANE_STORE or HOOKPLANE_STORE_FILE "
    "counts. A password belongs into HOOKPLANE_STORE_PASSWORD_FILE: others on the machine can read "
    "a command line.",
)
