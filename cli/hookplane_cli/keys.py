"""Files of sealing keys: a line `KEYID:64 hex digits` for each; the first seals, all open.

To rotate: put the new key first, start all processes with the file, run `hookplane apply`, which
seals every row anew; then take the old key away.
"""

from __future__ import annotations

import binascii
import secrets
from pathlib import Path
from typing import Final

from hookplane.errors import SecretUnreadable
from hookplane.ids import RandomBytes
from hookplane.sealing import KEY_BYTES, Sealer

_ID_BYTES: Final = 4


def read_keys(path: Path, random_bytes: RandomBytes = secrets.token_bytes) -> Sealer:
    """`path`: such a file, or a folder of them, which are read in the order of their names. Raises
    SecretUnreadable, OSError; no message shows a key."""
    files = sorted(x for x in path.iterdir() if x.is_file()) if path.is_dir() else [path]
    keys = dict(found for file in files for found in _keys(file))
    if not keys:
        raise SecretUnreadable(f"{path} holds no sealing key; `hookplane secret-key` makes one")
    return Sealer(keys, next(iter(keys)), random_bytes)


def _keys(file: Path) -> list[tuple[str, bytes]]:
    lines = file.read_text("ascii", "replace").split()
    return [_key(file, number, line) for number, line in enumerate(lines, 1)]


def new_key(random_bytes: RandomBytes = secrets.token_bytes) -> str:
    """A line of such a file."""
    return f"{random_bytes(_ID_BYTES).hex()}:{random_bytes(KEY_BYTES).hex()}\n"


def _key(path: Path, number: int, line: str) -> tuple[str, bytes]:
    name, _, text = line.partition(":")
    try:
        key = binascii.unhexlify(text)
    except ValueError:
        key = b""
    if not name or len(key) != KEY_BYTES:
        raise SecretUnreadable(
            f"{path}: key {number} is not a sealing key, which is KEYID:64 hex digits. "
            "Put the right one back, or nothing that it sealed can be read"
        )
    return name, key
