"""A histogram of fixed relative precision, as HdrHistogram keeps it (http://hdrhistogram.org)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

_BITS: Final = 8
"""Of a value's leading digits that are kept: the error is below 0.4 %."""


class Histogram:
    """Counts whole numbers of at least 0, such as nanoseconds."""

    def __init__(self, values: Iterable[int] = ()) -> None:
        self._buckets: Counter[tuple[int, int]] = Counter()
        self.count = 0
        self.greatest = 0
        for value in values:
            self.record(value)

    def record(self, value: int) -> None:
        value = max(value, 0)
        shift = max(value.bit_length() - _BITS, 0)
        self._buckets[shift, value >> shift] += 1
        self.count += 1
        self.greatest = max(self.greatest, value)

    def quantile(self, share: float) -> int:
        """The value that `share` of all do not exceed; 0 when there is none."""
        left = max(1, round(share * self.count))
        for (shift, digits), times in sorted(self._buckets.items()):
            left -= times
            if left <= 0:
                return min(((digits + 1) << shift) - 1, self.greatest)
        return 0
