"""Walks back through logs a bounded piece at a time: what a listing looks at, in which order, and
where the next one goes on. Pure, and for every driver; a row begins with (number, event id).

Within a log the order is that of its numbers, which is the order of its commits; between logs the
greater event id comes first. So where a walk stands is a number in each log, and nothing is left
out or seen twice, however clocks of receivers differ.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, NamedTuple, Self

from hookplane.store.event_numbers import endpoint_of, event_number

Row = tuple[Any, ...]
_PLACES: Final = re.compile(
    r"(?P<numbers>[0-7]?[0-9a-f]{1,15}(\.[0-7]?[0-9a-f]{1,15})*)(-(?P<older_than>evt_[0-9a-z]{26}))?"
)


class Piece(NamedTuple):
    """What may be read of one log: numbers between two, both left out."""

    above: int
    below: int


@dataclass(frozen=True, slots=True)
class WalkPlace:
    """Where a walk stands."""

    numbers: Mapping[int, int]
    """Endpoint → the last number that was looked at."""
    older_than: str = ""
    """In other logs than that of this event, only events with a lesser id; '': all."""
    own: int | None = None
    """The endpoint of that event; None: it is gone."""

    @staticmethod
    def event_of(before: str) -> str:
        """The event id in it, whose number has to be looked for; '': there is none."""
        places = _PLACES.fullmatch(before)
        return before if places is None else places["older_than"] or ""

    @classmethod
    def of(cls, before: str, found: int | None) -> Self:
        """`before`: what `after` gave, or an event id; `found`: the number of the event in it;
        None: it is gone, or there is none."""
        places = _PLACES.fullmatch(before)
        own = {} if found is None else {endpoint_of(found): found}
        texts = [] if places is None else places["numbers"].split(".")
        walked = {endpoint_of(x): x for x in (int(text, 16) for text in texts)}
        return cls(own | walked, cls.event_of(before), next(iter(own), None))

    def pieces(self, logs: Iterable[tuple[int, int]]) -> list[Piece]:
        """`logs`: endpoint, and the number behind which it is listed."""
        return [
            Piece(above, self.numbers.get(endpoint, event_number(endpoint + 1, 0)))
            for endpoint, above in logs
        ]

    def is_before(self, row: Row) -> bool:
        """Whether a row lies behind the id that somebody gave."""
        return not self.older_than or row[1] < self.older_than or endpoint_of(row[0]) == self.own

    def after(self, rows: Sequence[Row], logs: int) -> str:
        """What `before` is for whoever goes on behind these rows: with one log an event id, unless
        the walk has not come to the id yet that somebody gave."""
        if logs == 1 and rows and self.is_before(rows[-1]):
            return str(rows[-1][1])
        numbers = {**self.numbers, **{endpoint_of(row[0]): row[0] for row in rows}}
        places = ".".join(f"{number:x}" for number in numbers.values())
        return f"{places}-{self.older_than}" if self.older_than else places


def by_log(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows of several logs, each log's in the order of the walk."""
    ordered = sorted(rows, key=lambda row: -int(row[0]))
    return [list(found) for _, found in groupby(ordered, key=lambda row: endpoint_of(row[0]))]


class AttemptPlace(NamedTuple):
    """Where a listing of attempts stands: behind an event, or within it."""

    event_id: str
    left: int
    """So many attempts of it, the oldest ones, are still to be listed."""

    @classmethod
    def of(cls, before: str) -> Self:
        """`before`: an event id, or what `text` gave."""
        event_id, _, left = before.partition(".")
        return cls(event_id, int(left) if left.isdecimal() else 0)

    def text(self) -> str:
        """What `before` is for whoever goes on here."""
        return f"{self.event_id}.{self.left}" if self.left else self.event_id

    def rest_of(self, rows: list[Row]) -> list[Row]:
        """Of all attempts of the event those that are left; newer ones may have come meanwhile."""
        return rows[-self.left :] if self.left else []


class Picked(NamedTuple):
    """What a page shows, and what it looked at."""

    rows: list[Row]
    looked_at: list[Row]
    ended: bool
    """There is nothing behind what it looked at."""


def merged(logs: Sequence[Sequence[Row]], each: int) -> Iterator[tuple[Row, bool]]:
    """Rows of several logs in the order of the walk, and whether more may follow. It ends with the
    last row of a log of which `each` rows were read: what follows there is not known."""
    ends = {rows[-1][0] for rows in logs if len(rows) >= each}
    for row in heapq.merge(*logs, key=lambda row: row[1], reverse=True):
        is_end = row[0] in ends
        yield row, is_end
        if is_end:
            return


def pick(rows: Iterable[tuple[Row, bool]], is_wanted: Callable[[Row], bool], limit: int) -> Picked:
    """The first `limit` rows that are wanted. With each comes whether more may follow that were not
    read."""
    picked: list[Row] = []
    looked_at: list[Row] = []
    for row, is_cut_off in rows:
        looked_at.append(row)
        if is_wanted(row):
            picked.append(row)
        if is_cut_off or len(picked) == limit:
            return Picked(picked, looked_at, ended=False)
    return Picked(picked, looked_at, ended=True)
