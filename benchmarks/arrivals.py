"""What came to a sink, written down as cheaply as may be."""

from __future__ import annotations

from array import array
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import orjson

STEADY: Final = range(15, 90)
"""Per cent of the arrivals, in order."""


class Arrivals:
    """A column each for target, number, time (ns, monotonic), whether it was answered 2xx, and
    webhook-id."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.good = 0
        self._target, self._good = array("h"), array("b")
        self._number, self._at = array("q"), array("q")
        self._id: list[bytes] = []

    def add(self, target: int, number: int, at: int, good: bool, event: bytes) -> None:
        self._target.append(target)
        self._number.append(number)
        self._at.append(at)
        self._good.append(good)
        self._id.append(event)
        self.good += good

    def steady(self, targets: Collection[int]) -> dict[str, int]:
        """Of what these targets answered 2xx: how many, how long from the first to the last, and
        the same of the steady part, without the start (connections are made) and the end (some are
        done before others)."""
        columns = zip(self._at, self._target, self._good, strict=True)
        times = [at for at, target, good in columns if good and target in targets]
        part = times[int(len(times) * STEADY.start / 100) : int(len(times) * STEADY.stop / 100)]
        return {
            "count": len(times),
            "nanoseconds": times[-1] - times[0] if times else 0,
            "steady_count": max(len(part) - 1, 0),
            "steady_nanoseconds": part[-1] - part[0] if part else 0,
        }

    def dump(self, file: str) -> None:
        columns: dict[str, Any] = {
            "target": self._target.tolist(),
            "number": self._number.tolist(),
            "at": self._at.tolist(),
            "good": self._good.tolist(),
            "id": [event.decode("latin-1") for event in self._id],
        }
        Path(file).write_bytes(orjson.dumps(columns))
