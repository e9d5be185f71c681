"""`-f DIR|FILE`, for all commands that read manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

manifests_option: Final = click.option(
    "-f",
    "--filename",
    "sources",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    metavar="DIR|FILE",
    help="Manifests (*.yaml, *.yml, *.json); may be given several times.",
)
