"""Whose turn it is by `ordering: Key`: an event starts when the one before it with its key is
done, and the store knows that, so that after a crash none is sent again behind a later one.

An event that comes behind another gets a row and is BEHIND. Of those only the store knows, and the
earliest of a key is read when its turn comes. Pure.
"""

from __future__ import annotations

from collections.abc import Container
from enum import Enum, auto
from typing import Final

from hookplane.store.delivery_store import EventKey, StrandedPage
from hookplane_dispatcher.worker.flush_buffer import Key

MOST_KEYS: Final = 1_000
"""Keys that the store is asked for at once."""


class Turn(Enum):
    """What becomes of an event that could start."""

    NOW = auto()
    """Nothing with its key is left before it."""
    LATER = auto()
    """It will be known in a moment."""
    BEHIND = auto()
    """It waits for another one, in a row of its own."""


class KeyOrder:
    """Keys of a subscription that have something under way, and those whose next event is due."""

    def __init__(self, behind: int) -> None:
        """`behind`: how many rows of the store are BEHIND."""
        self.behind = behind
        """Rows that are BEHIND and in the store alone; retention may have removed some."""
        self.next: set[EventKey] = set()
        """The earliest row of these is to be read."""
        self.is_walking = behind > 0
        """The store is searched for keys that nobody goes on with, so it may know of more keys."""
        self._walked_to: EventKey | None = None
        self._begun: dict[Key, EventKey] = {}
        """Deliveries that were started or are done, and of which the store does not know that."""
        self._of: dict[EventKey, set[Key]] = {}

    @property
    def walked_to(self) -> EventKey | None:
        """Where the search goes on."""
        return self._walked_to

    def key_of(self, delivery: Key) -> str:
        """The key of a delivery that has begun; empty: it has none."""
        return self._begun.get(delivery, ("", ""))[1]

    def begin(self, delivery: Key, key: str) -> None:
        """A delivery has started, or is done without."""
        event_key = (delivery[0], key)
        self._begun[delivery] = event_key
        self._of.setdefault(event_key, set()).add(delivery)

    def put_off(self, delivery: Key) -> None:
        """It is not done: it starts again later, and is what its key goes on with."""
        self._remove(delivery)

    def end(self, delivery: Key) -> None:
        """The store has it as done: it is the turn of the next one with its key."""
        event_key = self._remove(delivery)
        if event_key is not None and event_key not in self._of and self.behind:
            self.next.add(event_key)

    def leave(self, endpoint: str, active: Container[Key]) -> None:
        """What is done for an endpoint that is no longer read is not told to the store."""
        for delivery in [x for x in self._begun if x[0] == endpoint and x not in active]:
            self.end(delivery)
        self.walk_again()

    def is_busy(self, event_key: EventKey) -> bool:
        """Something with this key is under way, or about to be."""
        return event_key in self._of or event_key in self.next

    def waits(self, event_key: EventKey, sequence: int) -> bool:
        """Whether an event has to wait for what is about to be read, or written of earlier ones."""
        return event_key in self.next or bool(self._before(event_key, sequence))

    def is_under_way(self, event_key: EventKey, sequence: int, active: Container[Key]) -> bool:
        """An attempt of an earlier event with this key is under way."""
        return any(x in active for x in self._before(event_key, sequence))

    def _before(self, event_key: EventKey, sequence: int) -> list[Key]:
        return [x for x in self._of.get(event_key, ()) if x[1] < sequence]

    # Searching ----------------------------------------------------------------------------------

    def walk_again(self) -> None:
        """Searches the store for keys that nobody goes on with, unless that is under way."""
        self.is_walking = self.behind > 0

    def walked(self, page: StrandedPage) -> None:
        """What was found."""
        self.next.update(x for x in page.keys if x not in self._of)
        self._walked_to = page.following
        self.is_walking = page.following is not None

    def _remove(self, delivery: Key) -> EventKey | None:
        event_key = self._begun.pop(delivery, None)
        if event_key is not None:
            left = self._of[event_key]
            left.discard(delivery)
            if not left:
                del self._of[event_key]
        return event_key
