"""Watches files and folders of manifests for changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

from watchfiles import Change, awatch

from hookplane.manifests.files import is_manifest

Concerns = Callable[[Change, str], bool]

DEBOUNCE_MILLIS: Final = 100
"""Changes that come together are one."""
_KUBELET_LINK: Final = "..data"
"""A mounted ConfigMap changes by this link."""


async def watch(sources: Sequence[Path], changed: Callable[[], None]) -> None:
    """Calls `changed` after each change of a source, until cancelled. Raises OSError when the
    system cannot watch (any more).

    A file is watched through its folder: editors put a new file in the old one's place.
    """
    folders = {path.resolve() for path in sources if path.is_dir()}
    files = {path.resolve() for path in sources} - folders
    async with asyncio.TaskGroup() as group:
        if folders:
            group.create_task(_watch(folders, _Below(folders), True, changed))
        if files:
            parents = {path.parent for path in files}
            group.create_task(_watch(parents, _OneOf(files), False, changed))


async def _watch(
    folders: AbstractSet[Path], concerns: Concerns, recursive: bool, changed: Callable[[], None]
) -> None:
    ended = asyncio.Event()
    try:
        async for _ in awatch(
            *folders,
            watch_filter=concerns,
            recursive=recursive,
            debounce=DEBOUNCE_MILLIS,
            stop_event=ended,
            ignore_permission_denied=True,
        ):
            changed()
    finally:
        ended.set()


class _OneOf:
    """Whether a path is one of the files, by its name or by the name that a link leads to."""

    def __init__(self, files: AbstractSet[Path]) -> None:
        self._files = files

    def __call__(self, _: Change, text: str) -> bool:
        return Path(text) in self._files


class _Below:
    """Whether a path is a manifest in one of the folders."""

    def __init__(self, folders: AbstractSet[Path]) -> None:
        self._folders = folders

    def __call__(self, _: Change, text: str) -> bool:
        path = Path(text)
        return any(concerns(path.relative_to(x)) for x in self._folders if path.is_relative_to(x))


def concerns(path: Path) -> bool:
    """Whether a path below a folder of manifests may matter. Folders come and go as a whole, so
    whatever has no suffix does."""
    if _KUBELET_LINK in path.parts:
        return True
    hidden = any(step.startswith(".") for step in path.parts)
    return not hidden and (is_manifest(path) or not path.suffix)
