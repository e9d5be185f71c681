"""How much memory the system lets this process have, with all that it starts
(https://docs.kernel.org/admin-guide/cgroup-v2.html)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

_GROUPS: Final = Path("/sys/fs/cgroup")
_OWN: Final = Path("/proc/self/cgroup")
_FORMER: Final = Path("memory/memory.limit_in_bytes")
"""Where version 1 has the limit of a container."""
_NONE_FROM: Final = 1 << 60
"""Version 1 says that there is no limit by a very large one."""


def memory_limit(groups: Path = _GROUPS, own: Path = _OWN) -> int | None:
    """Bytes, of the strictest group that it is in; None: nobody bounds it."""
    found = [_number(path) for path in _files(groups, own)]
    return min((x for x in found if x is not None and x < _NONE_FROM), default=None)


def _files(groups: Path, own: Path) -> Iterator[Path]:
    yield groups / _FORMER
    group = groups / _group(own)
    for place in (group, *group.parents):
        if place.is_relative_to(groups):
            yield place / "memory.max"


def _group(own: Path) -> str:
    """Of this process, as version 2 names it; empty: the root."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return ""
    return next((x.removeprefix("0::/") for x in lines if x.startswith("0::/")), "")


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # it is not there, or says "max"
        return None
