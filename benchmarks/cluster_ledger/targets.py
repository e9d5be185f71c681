"""Subscribers: some refuse a third of what comes, and all refuse some events again and again."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any, Final

from aiohttp import web

from support.cluster.e2e import Received

TARGETS: Final = 5
FLAKY: Final = (1, 3)
POISONED_EVERY: Final = 40
"""One event of so many is poison: it, and not the target, is refused."""
POISON_REFUSALS: Final = 3
_ANSWER: Final = "answer"
_REPLAY: Final = "hookplane-replay"


class Answers:
    """What each request gets; it is written into its headers, so that the account knows."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._refusals: Counter[tuple[str, int]] = Counter()

    def answer(self, seen: Received) -> web.Response:
        status = self._status(seen.path, number_of(seen))
        seen.headers[_ANSWER] = str(status)
        return web.Response(status=status)

    def _status(self, path: str, number: int) -> int:
        poisoned = number % POISONED_EVERY == 1
        if poisoned and self._refusals[path, number] < POISON_REFUSALS:
            self._refusals[path, number] += 1
            return 400
        return 503 if int(path[1:]) in FLAKY and self._chance.random() < 0.3 else 200


def number_of(seen: Received) -> int:
    """The number that its provider gave it."""
    return int(json.loads(seen.body)["n"])


def arrivals(received: list[Received]) -> dict[str, list[Any]]:
    """Columns for the account, without what came for a replay: that is meant to come again."""
    first = [x for x in received if _REPLAY not in x.headers]
    return {
        "target": [int(x.path[1:]) for x in first],
        "number": [number_of(x) for x in first],
        "at": [int(x.at * 1e9) for x in first],
        "good": [x.headers[_ANSWER] == "200" for x in first],
        "id": [x.event for x in first],
    }


def replayed(received: list[Received]) -> int:
    """Good answers to what came for a replay."""
    return sum(_REPLAY in x.headers and x.headers[_ANSWER] == "200" for x in received)
