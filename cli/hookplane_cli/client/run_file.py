"""`<data>/run.json`: where the `hookplane run` of a data folder is, for the client commands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
import orjson

from hookplane_cli.private_file import write_private

RUN_FILE: Final = "run.json"
"""What `hookplane run` leaves in its data folder: pid, url and admin."""


@contextmanager
def run_file(data: Path, url: str, admin: str, tls_url: str = "") -> Iterator[dict[str, Any]]:
    """Writes the file, yields its content, and removes it at the end."""
    path = data / RUN_FILE
    facts = {"pid": os.getpid(), "url": url, "admin": admin}
    facts |= {"tlsURL": tls_url} if tls_url else {}
    write_private(path, orjson.dumps(facts))
    try:
        yield facts
    finally:
        path.unlink(missing_ok=True)


def admin_url(admin: str | None, data: Path) -> str:
    """`admin` if given, else what the data folder says. Raises click.ClickException."""
    return admin or str(run_facts(data)["admin"])


def run_facts(data: Path) -> dict[str, Any]:
    """pid, url and admin of the `hookplane run` at work. Raises click.ClickException."""
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
