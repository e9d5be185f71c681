"""Tables as `kubectl get` prints them: plain text in columns, on a terminal and in a pipe alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hookplane.clock import Millis
from hookplane.units import parse_time
from hookplane_cli.human import printable, since

_GAP: Final = "   "


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Titles and rows in columns; a value that is None leaves its place empty."""
    cells = [list(titles), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(_line(row, widths) for row in cells)


def ago(time: str | None, now: Millis) -> str | None:
    """`2026-11-23T12:00:11Z` → `6m`; None stays None."""
    return None if time is None else since(parse_time(time), now)


def _cell(value: object) -> str:
    return "" if value is None else printable(str(value), limit=80)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
