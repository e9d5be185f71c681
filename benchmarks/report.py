"""The rows as text for people and as JSON for machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from benchmarks.rows import Row

HEADINGS: Final = ("what", "figure", "range", "bar", "ratio", "goal", "")
_GAP: Final = "  "


def table(rows: Sequence[Row]) -> str:
    """One line a row; under it, why figures are void."""
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_line(line, widths) for line in cells]
    lines.insert(1, "-" * len(lines[0]))
    voids = dict.fromkeys(reason for row in rows for reason in row.voids)
    return "\n".join([*lines, *(f"void: {reason}" for reason in voids)]) + "\n"


def as_json(facts: dict[str, Any], rows: Iterable[Row]) -> dict[str, Any]:
    """`facts`: about the machine and the run."""
    return {**facts, "rows": [row.as_json() for row in rows]}


def number(value: float | None) -> str:
    """Three digits that say something; nothing for None."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _cells(row: Row) -> tuple[str, ...]:
    figure = f"{number(row.value)} {row.unit}" if row.value is not None else "void"
    bar = f"{number(row.bar_value)} {row.bar}" if row.bar_value is not None else row.bar
    goal = str(row.goal) if row.goal else ""
    return row.name, figure, _range(row.valid), bar, number(row.ratio), goal, row.verdict


def _range(values: Sequence[float]) -> str:
    return f"{number(min(values))} … {number(max(values))}" if len(values) > 1 else ""


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()
