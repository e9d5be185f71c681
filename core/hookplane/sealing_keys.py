"""Sealing keys as text: a line `KEYID:64 hex digits` for each; the first seals, all open.

To rotate: put the new key first, start all processes with the file, run `hookplane apply`, which
seals every row anew; then take the old key away.
"""

from __future__ import annotations

import binascii
import secrets
from pathlib import Path
from typing import Final

from hookplane.errors import InvalidValue, SecretUnreadable
from hookplane.ids import RandomBytes
from hookplane.sealing import KEY_BYTES, Sealer

_ID_BYTES: Final = 4


def new_sealing_key(random_bytes: RandomBytes = secrets.token_bytes) -> str:
    """A line for such a text."""
    return f"{random_bytes(_ID_BYTES).hex()}:{random_bytes(KEY_BYTES).hex()}\n"


def parse_sealing_keys(text: bytes) -> dict[str, bytes]:
    """Key id → key, in the order of the lines. Raises InvalidValue; its message shows no key."""
    lines = text.decode("ascii", "replace").split()
    return dict(_parse_line(number, line) for number, line in enumerate(lines, 1))


def read_sealing_keys(path: Path) -> Sealer:
    """`path`: a file of keys, or a folder of such files, which are read in the order of their
    names. Raises SecretUnreadable, OSError; no message shows a key."""
    files = sorted(x for x in path.iterdir() if x.is_file()) if path.is_dir() else [path]
    keys = {name: key for file in files for name, key in _read_file(file).items()}
    if not keys:
        raise SecretUnreadable(f"{path} holds no sealing key; `hookplane secret-key` makes one")
    return Sealer(keys, next(iter(keys)))


def _read_file(file: Path) -> dict[str, bytes]:
    try:
        return parse_sealing_keys(file.read_bytes())
    except InvalidValue as error:
        raise SecretUnreadable(
            f"{file}: {error}. Put the right one back, or nothing that it sealed can be read"
        ) from error


def _parse_line(number: int, line: str) -> tuple[str, bytes]:
    name, _, text = line.partition(":")
    try:
        key = binascii.unhexlify(text)
    except ValueError:
        key = b""
    if not name or len(key) != KEY_BYTES:
        raise InvalidValue(f"key {number} is not a sealing key, which is KEYID:64 hex digits")
    return name, key
