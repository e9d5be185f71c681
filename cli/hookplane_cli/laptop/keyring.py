"""The key that seals secrets in the store of this data folder: made once, never replaced."""

from __future__ import annotations

import binascii
import secrets
from pathlib import Path
from typing import Final

from hookplane.errors import SecretUnreadable
from hookplane.ids import RandomBytes
from hookplane.sealing import KEY_BYTES, Sealer
from hookplane_cli.laptop.private_file import write_private

FILE: Final = "sealing.key"
_ID_BYTES: Final = 4


def open_keyring(data: Path, random_bytes: RandomBytes = secrets.token_bytes) -> Sealer:
    """Reads `<data>/sealing.key`, `KEYID:hex`, or makes it. Raises SecretUnreadable, OSError."""
    path = data / FILE
    if not path.exists():
        text = f"{random_bytes(_ID_BYTES).hex()}:{random_bytes(KEY_BYTES).hex()}\n"
        write_private(path, text.encode())
    name, key = _parse(path)
    return Sealer({name: key}, name, random_bytes)


def _parse(path: Path) -> tuple[str, bytes]:
    name, _, text = path.read_text("ascii", "replace").strip().partition(":")
    try:
        key = binascii.unhexlify(text)
    except ValueError:
        key = b""
    if not name or len(key) != KEY_BYTES:
        raise SecretUnreadable(f"{path} is not a sealing key; put the right one back")
    return name, key
