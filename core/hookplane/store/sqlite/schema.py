"""Brings a database up to the newest schema, one numbered migration after the other."""

from __future__ import annotations

import sqlite3
from importlib import resources
from typing import Final

from hookplane.errors import StoreError

_PACKAGE: Final = "hookplane.store.sqlite"


def migrate(db: sqlite3.Connection) -> None:
    """Each migration is one transaction. Raises StoreError for a file of a newer Hookplane."""
    (version,) = db.execute("pragma user_version").fetchone()
    scripts = _migrations()
    if version > len(scripts):
        raise StoreError(
            f"the data has schema {version}, this version of Hookplane knows {len(scripts)}: "
            "use a newer Hookplane or another data folder"
        )
    for number, script in enumerate(scripts[version:], version + 1):
        db.executescript(f"begin immediate;\n{script}\npragma user_version = {number};\ncommit;")


def _migrations() -> list[str]:
    folder = resources.files(_PACKAGE).joinpath("migrations")
    files = sorted((x for x in folder.iterdir() if x.name.endswith(".sql")), key=lambda x: x.name)
    return [file.read_text("utf-8") for file in files]
