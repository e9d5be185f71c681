"""`hookplane secret`: prints a generated secret of the data folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import click
import orjson

from hookplane_cli.options import data_option, namespace_option

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
"""A name of a Secret; never a way out of the folder."""


@click.command(name="secret")
@click.argument("name")
@click.option("--key", default="key", show_default=True, help="Key inside the Secret.")
@namespace_option
@data_option
def command(name: str, key: str, namespace: str, data: Path) -> None:
    """Prints a secret that `hookplane run` generated, such as orders-verification."""
    click.echo(read_secret(data, namespace, name, key))


def read_secret(data: Path, namespace: str, name: str, key: str = "key") -> str:
    """Raises click.ClickException."""
    folder = data / "secrets" / _checked(namespace)
    try:
        content = orjson.loads((folder / f"{_checked(name)}.json").read_bytes())
    except FileNotFoundError as error:
        known = ", ".join(sorted(path.stem for path in folder.glob("*.json"))) or "none"
        raise click.ClickException(
            f"no generated secret {namespace}/{name} in {data}; there is: {known}"
        ) from error
    except (OSError, orjson.JSONDecodeError) as error:
        raise click.ClickException(f"the secret {namespace}/{name} cannot be read") from error
    if not isinstance(content.get(key), str):
        raise click.ClickException(f"the secret {namespace}/{name} has no key {key}")
    return str(content[key])


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or ".." in name:
        raise click.ClickException(f'"{name}" is not a name of a Secret')
    return name
