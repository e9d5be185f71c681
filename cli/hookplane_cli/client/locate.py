"""Where the admin API is: said outright, or in the data folder of the `hookplane run` at work."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
import orjson

RUN_FILE: Final = "run.json"
"""What `hookplane run` leaves in its data folder: pid, url and admin."""


def admin_url(admin: str | None, data: Path) -> str:
    """`admin` if given, else what the data folder says. Raises click.ClickException."""
    return admin or str(run_facts(data)["admin"])


def run_facts(data: Path) -> dict[str, Any]:
    """Raises click.ClickException."""
    path = data / RUN_FILE
    try:
        facts = orjson.loads(path.read_bytes())
        return {"pid": facts["pid"], "url": facts["url"], "admin": facts["admin"]}
    except FileNotFoundError as error:
        raise click.ClickException(
            f"{path} is not there: no `hookplane run` is at work on {data}. Start one, or say "
            "where it is with --data DIR or --admin URL"
        ) from error
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise click.ClickException(f"{path} cannot be read; give --admin URL") from error
