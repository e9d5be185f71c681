"""Finds manifest files and reads their texts; the only module here that touches a disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
MAX_FILES: Final = 2_000
"""In all sources together."""
MAX_FILE_BYTES: Final = 4 << 20
"""A longer file is not read."""


@dataclass(frozen=True, slots=True)
class SourceText:
    """A file's name as the user knows it, and its content or why there is none."""

    file: str
    content: str = ""
    problem: str = ""


def read_files(sources: Sequence[Path]) -> list[SourceText]:
    """The manifests in files and folders (and folders below them), each once, in order of names.

    Hidden files and folders are left out, because editors keep drafts there. A file that cannot be
    read is a SourceText with a problem; nothing is raised.
    """
    texts: dict[Path, SourceText] = {}
    for source in sources:
        for path in _below(source):
            if len(texts) >= MAX_FILES:
                texts[source] = SourceText(
                    str(source), problem=f"holds more than {MAX_FILES} manifests"
                )
                break
            texts.setdefault(_identity(path), _read(path))
    return list(texts.values())


def is_manifest(path: Path) -> bool:
    """Whether a file that was found in a folder is read as a manifest."""
    return path.suffix in SUFFIXES and not path.name.startswith(".")


def _below(source: Path) -> Iterator[Path]:
    if not source.is_dir():
        yield source
        return
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if is_manifest(Path(name)))


def _identity(path: Path) -> Path:
    """The same for all paths of one file."""
    try:
        return path.resolve()
    except RuntimeError:  # a link that leads to itself
        return path.absolute()


def _read(path: Path) -> SourceText:
    try:
        # Opening a pipe would block until somebody writes to it.
        if not stat.S_ISREG(path.stat().st_mode):
            return SourceText(str(path), problem="is not a regular file")
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return SourceText(str(path), problem="there is no such file or folder")
    except OSError as error:
        return SourceText(str(path), problem=f"cannot be read: {error.strerror}")
    if len(raw) > MAX_FILE_BYTES:
        return SourceText(str(path), problem=f"is larger than {MAX_FILE_BYTES >> 20} MiB")
    try:
        return SourceText(str(path), raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return SourceText(str(path), problem="is not UTF-8 text")
