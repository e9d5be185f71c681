"""What the tests of a run measured, to be told at its end; never a reason to fail."""

from __future__ import annotations

from collections.abc import Sequence

from support.node.ledger import Ledger

FIGURES: dict[str, str] = {}
LEDGERS: list[Ledger] = []


def tell(name: str, seconds: Sequence[float]) -> None:
    """Of one measurement the figure, of several median, 99th percentile and slowest."""
    ordered = sorted(seconds)
    if len(ordered) == 1:
        FIGURES[name] = f"{ordered[0]:.1f} s"
        return
    middle, last = ordered[len(ordered) // 2], ordered[-1]
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    FIGURES[name] = f"p50 {middle:.2f} s, p99 {p99:.2f} s, slowest {last:.2f} s (of {len(ordered)})"
