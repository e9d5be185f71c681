"""Whose deletion a watch told: what is missing from a list besides may be a list that lies."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MOST: Final = 200_000
"""Uids that are remembered; those that were told first are forgotten first, and then doubted."""


class SeenDeletions:
    """Of one replica, whether it leads or not."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._uids: OrderedDict[str, None] = OrderedDict()
        self._trusted = True

    def has(self, uid: str) -> bool:
        """Whether somebody was seen deleting it."""
        return uid in self._uids

    def saw(self, uid: str) -> None:
        """A watch told that it was deleted."""
        if self._trusted:
            self._uids[uid] = None
            while len(self._uids) > self._most:
                self._uids.popitem(last=False)

    def lives(self, uid: str) -> None:
        """It is there, if only again, as after a restore of etcd."""
        self._uids.pop(uid, None)

    def doubt(self) -> None:
        """A kind is not there, or is going: its objects went with it and nobody meant them. What
        was seen does not count, nor what is seen until `trust`."""
        self._uids.clear()
        self._trusted = False

    def trust(self) -> None:
        """All kinds are there."""
        self._trusted = True
