"""The table's rows: figures, the bar beside them, and the goal."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final, Literal

MOST_SHARE: Final = 0.6
"""Of a core. A generator or sink that used more may have been the limit itself."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement. `void`: why it says nothing."""

    value: float
    void: str = ""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a row's figure, or its ratio to the bar, should be."""

    of: Literal["figure", "ratio"]
    sign: Literal["≥", "≤"]
    number: float

    def met(self, value: float) -> bool:
        return value >= self.number if self.sign == "≥" else value <= self.number

    def __str__(self) -> str:
        return f"{self.of} {self.sign} {self.number:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of several rounds, and those of the bar measured beside each."""

    name: str
    unit: str
    figures: tuple[Figure, ...]
    bar: str = ""
    """What the bar is."""
    bars: tuple[Figure, ...] = field(default=())
    goal: Goal | None = None

    @property
    def valid(self) -> list[float]:
        return [figure.value for figure in self.figures if not figure.void]

    @property
    def value(self) -> float | None:
        return median(self.valid) if self.valid else None

    @property
    def bar_value(self) -> float | None:
        values = [bar.value for bar in self.bars if not bar.void]
        return median(values) if values else None

    @property
    def ratio(self) -> float | None:
        """The median of the ratios round by round: drift of the machine falls out."""
        pairs = zip(self.figures, self.bars, strict=False)
        ratios = [
            figure.value / bar.value
            for figure, bar in pairs
            if not (figure.void or bar.void) and bar.value
        ]
        return median(ratios) if ratios else None

    @property
    def voids(self) -> list[str]:
        """Why figures do not count, each reason once."""
        reasons = [f"{self.name}: {figure.void}" for figure in self.figures if figure.void]
        reasons += [f"{self.bar}: {bar.void}" for bar in self.bars if bar.void]
        return list(dict.fromkeys(reasons))

    @property
    def verdict(self) -> Literal["met", "missed", "void", ""]:
        value = self.ratio if self.goal is not None and self.goal.of == "ratio" else self.value
        if value is None:
            return "void"
        if self.goal is None:
            return ""
        return "met" if self.goal.met(value) else "missed"

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "value": self.value,
            "figures": [{"value": x.value, "void": x.void} for x in self.figures],
            "bar": self.bar,
            "barValue": self.bar_value,
            "barFigures": [{"value": x.value, "void": x.void} for x in self.bars],
            "ratio": self.ratio,
            "goal": str(self.goal) if self.goal else "",
            "verdict": self.verdict,
        }


def overworked(**shares: float) -> str:
    """Why a run is void: a measuring program was busier than MOST_SHARE; empty if none was."""
    busy = [f"the {name} used {share:.0%}" for name, share in shares.items() if share > MOST_SHARE]
    return " and ".join(busy) + " of a core" if busy else ""
