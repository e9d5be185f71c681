"""Small integers that a driver stores in place of uids."""

from __future__ import annotations

from collections.abc import Mapping

from hookplane.errors import UnknownObject
from hookplane.store.event_numbers import endpoint_of, sequence_of


class IdMap:
    """Uids and their numbers. Whole mappings are replaced, never changed, so any thread may read
    them; how they are loaded is the driver's to say."""

    def __init__(self) -> None:
        self.endpoints: Mapping[str, int] = {}
        self.subscriptions: Mapping[str, int] = {}
        self.endpoint_uids: Mapping[int, str] = {}
        self.subscription_uids: Mapping[int, str] = {}

    def replace(self, endpoints: Mapping[str, int], subscriptions: Mapping[str, int]) -> None:
        """Uid → number of all that the store has now. What was made again is found under its
        former uid as well, by who still knows it under that one."""
        self.endpoints = _with_former(self.endpoints, endpoints)
        self.subscriptions = _with_former(self.subscriptions, subscriptions)
        self.endpoint_uids = {number: uid for uid, number in endpoints.items()}
        self.subscription_uids = {number: uid for uid, number in subscriptions.items()}

    def endpoint(self, uid: str) -> int:
        """Raises UnknownObject."""
        return _find(self.endpoints, uid, "endpoint")

    def subscription(self, uid: str) -> int:
        """Raises UnknownObject."""
        return _find(self.subscriptions, uid, "subscription")

    def endpoints_of(self, uids: frozenset[str] | None) -> frozenset[int] | None:
        """Numbers of those of them that are there; None: of all."""
        if uids is None:
            return None
        return frozenset(self.endpoints[uid] for uid in uids if uid in self.endpoints)

    def subscriptions_of(self, uids: frozenset[str] | None) -> list[int] | None:
        """Likewise."""
        if uids is None:
            return None
        return [self.subscriptions[uid] for uid in uids if uid in self.subscriptions]

    def place(self, number: int) -> tuple[str, int]:
        """Event number → endpoint uid and sequence."""
        return self.endpoint_uids[endpoint_of(number)], sequence_of(number)


def _with_former(known: Mapping[str, int], now: Mapping[str, int]) -> Mapping[str, int]:
    there = set(now.values())
    former = {uid: number for uid, number in known.items() if uid not in now and number in there}
    return {**former, **now} if former else now


def _find(numbers: Mapping[str, int], uid: str, kind: str) -> int:
    number = numbers.get(uid)
    if number is None:
        raise UnknownObject(f'no {kind} "{uid}"')
    return number
