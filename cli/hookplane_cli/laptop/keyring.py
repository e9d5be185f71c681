"""The key that seals secrets in the store of this data folder: made once, never replaced."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from hookplane.ids import RandomBytes
from hookplane.sealing import Sealer
from hookplane_cli.keys import new_key, read_keys
from hookplane_cli.laptop.private_file import write_private

FILE: Final = "sealing.key"


def open_keyring(data: Path, random_bytes: RandomBytes = secrets.token_bytes) -> Sealer:
    """Reads `<data>/sealing.key` or makes it. Raises SecretUnreadable, OSError."""
    path = data / FILE
    if not path.exists():
        write_private(path, new_key(random_bytes).encode())
    return read_keys(path, random_bytes)
