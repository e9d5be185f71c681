"""Subscriptions past which a log goes on without concerning them: their cursors follow together, a
statement for many, some seconds later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import chain, islice
from math import ceil
from typing import Final, Protocol, TypeAlias

from hookplane.errors import StoreUnavailable
from hookplane.pacing.backoff import Backoff
from hookplane.store.delivery_store import DeliveryStore, NotPassed, Passage

PAUSE_SECONDS: Final = 5.0
"""Between two rounds."""
AT_ONCE: Final = 500
"""Subscriptions of one transaction, which others wait for."""
GROUPS: Final = 4
"""Transactions of one round. A round takes up where the last one ended, so that the work of a
second does not grow with the number of subscriptions."""
FIRST_PAUSE_SECONDS: Final = 0.0625
LONGEST_PAUSE_SECONDS: Final = 4.0
"""Until a store that did not answer is asked again."""


class Bystander(Protocol):
    """A subscription, served here."""

    def lend(self) -> list[Passage]:
        """Its cursors to move; until `returned` it writes nothing itself. Empty: none is behind, or
        it has something of its own to write."""

    def returned(self, *, lost: bool) -> None:
        """Its cursors were moved. `lost`: they were not, or that is unknown, and it must be claimed
        again."""


Lent: TypeAlias = dict[Bystander, list[Passage]]
"""Whose cursors are to be moved, and how."""


class Bystanders:
    """Goes round all subscriptions of a process."""

    def __init__(self, store: DeliveryStore) -> None:
        self._store = store
        self._all: dict[Bystander, None] = {}
        self._held: Lent = {}
        """What the store could not move yet."""

    def add(self, bystander: Bystander) -> None:
        """One more."""
        self._all[bystander] = None

    def remove(self, bystander: Bystander) -> None:
        """One less."""
        self._all.pop(bystander, None)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            for _ in range(min(GROUPS, ceil(len(self._all) / AT_ONCE))):
                if lent := self._held | self._collect():
                    await self._move(lent)

    def _collect(self) -> Lent:
        """Those whose turn it is, as far as they are behind. All go to the end of the line."""
        lent: Lent = {}
        for bystander in list(islice(self._all, AT_ONCE)):
            self._all[bystander] = self._all.pop(bystander)
            if passages := bystander.lend():
                lent[bystander] = passages
        return lent

    async def _move(self, lent: Lent) -> None:
        """What is held goes with the next ones: whether it was moved before an answer got lost is
        not known."""
        outcome = NotPassed(lost=frozenset(x[0].subscription for x in lent.values()))
        self._held = {}
        try:
            outcome = await self._write(list(chain.from_iterable(lent.values())))
        finally:
            for bystander, passages in lent.items():
                if passages[0].subscription in outcome.held:
                    self._held[bystander] = passages
                else:
                    bystander.returned(lost=passages[0].subscription in outcome.lost)

    async def _write(self, passages: Sequence[Passage]) -> NotPassed:
        """However often the store must be asked: a repeat moves nothing twice."""
        backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        while True:
            try:
                return await self._store.pass_over(passages)
            except StoreUnavailable:
                await asyncio.sleep(backoff.next_pause())
