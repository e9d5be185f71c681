"""The manifests that the demo runs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

FILES: Final = (Path("examples/quickstart.yaml"), Path("examples/github.yaml"))
TARGET: Final = "http://127.0.0.1:9000"
"""Where the subscription in them delivers to."""


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
