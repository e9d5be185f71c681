"""The secrets of a sink. They come from a file or the environment, because other users of the
machine can read a command line."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import orjson

from hookplane.errors import InvalidValue
from hookplane.secret import Secret

MAX_FILE_BYTES: Final = 64 * 1024
SECRET_MEMBERS: Final = ("key", "previous")
"""Of a generated secret in a data folder; during a rotation both are in use."""


def read_secrets(text: str | None, file: Path | None) -> list[Secret]:
    """Words of `text`, and what `file` has: words, or a generated secret of a data folder. Raises
    InvalidValue."""
    words = (text or "").split() + (_words(file) if file else [])
    return [Secret(word) for word in words]


def _words(file: Path) -> list[str]:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES)
    except OSError as error:
        raise InvalidValue(f"{file} cannot be read: {error.strerror}") from error
    if content.lstrip().startswith(b"{"):
        return _members(file, content)
    return content.decode("utf-8", "replace").split()


def _members(file: Path, content: bytes) -> list[str]:
    try:
        data = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InvalidValue(f"{file} is neither a secret nor JSON") from error
    return [str(data[name]) for name in SECRET_MEMBERS if data.get(name)]
