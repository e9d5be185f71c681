"""`<data>/run.json`: where the `hookplane run` of a data folder is, for client commands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from hookplane_cli.client.locate import RUN_FILE
from hookplane_cli.laptop.private_file import write_private


@contextmanager
def run_file(data: Path, url: str, admin: str, tls_url: str = "") -> Iterator[dict[str, Any]]:
    """Gives its content; it is there while everything runs."""
    path = data / RUN_FILE
    facts = {"pid": os.getpid(), "url": url, "admin": admin}
    facts |= {"tlsURL": tls_url} if tls_url else {}
    write_private(path, orjson.dumps(facts))
    try:
        yield facts
    finally:
        path.unlink(missing_ok=True)
