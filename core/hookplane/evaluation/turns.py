"""Whose turn it is: work of several namespaces, shared fairly. Pure."""

from __future__ import annotations

from collections import Counter, deque
from typing import Generic, TypeVar

Work = TypeVar("Work")


class Turns(Generic[Work]):
    """Work waits by namespace, and namespaces take turns. None has more than `most_each` under way
    at once, so that one that is slow leaves something to the others."""

    def __init__(self, most_each: int) -> None:
        self._most_each = most_each
        self._waiting: dict[str, deque[Work]] = {}
        """In the order of turns: who had one goes to the end."""
        self._under_way: Counter[str] = Counter()

    def add(self, namespace: str, work: Work) -> None:
        """Behind what the namespace has waiting."""
        self._waiting.setdefault(namespace, deque()).append(work)

    def take(self) -> tuple[str, Work] | None:
        """The next one, which is under way until `ended`; None: nobody may have a turn now."""
        namespace = next(filter(self._may_go, self._waiting), None)
        if namespace is None:
            return None
        works = self._waiting.pop(namespace)
        work = works.popleft()
        if works:
            self._waiting[namespace] = works
        self._under_way[namespace] += 1
        return namespace, work

    def _may_go(self, namespace: str) -> bool:
        return self._under_way[namespace] < self._most_each

    def ended(self, namespace: str) -> None:
        """Something of this namespace is no longer under way."""
        self._under_way[namespace] -= 1
        self._under_way += Counter()

    def drop(self, namespace: str, work: Work) -> None:
        """Nobody waits for it any more; nothing happens when it is not waiting."""
        works = self._waiting.get(namespace, deque())
        if work in works:
            works.remove(work)
        if not works:
            self._waiting.pop(namespace, None)
