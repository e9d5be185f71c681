"""What was read, by whom it is used, and when it is read again."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from hookplane.clock import Clock
from hookplane_operator.kube.errors import ApiError

AT_ONCE: Final = 16
"""Requests."""

T = TypeVar("T")
Item = TypeVar("Item")
Name = tuple[str, str]
"""Namespace and name."""


class Turn(NamedTuple):
    """How soon readings of one sort are read again, and how many of them in a second: thousands of
    one sort must not hold up the others, nor keep the API server busy."""

    after: float
    """Seconds."""
    per_second: int


@dataclass(slots=True)
class _Cached(Generic[T]):
    value: T
    read_at: float


class _Readings(Generic[T]):
    """Of one sort: each namespace's in the order of reading, and namespaces in the order of turns.
    One that has thousands waits for itself."""

    def __init__(self) -> None:
        self._of: dict[str, dict[Name, _Cached[T]]] = {}

    def get(self, name: Name) -> _Cached[T] | None:
        return self._of.get(name[0], {}).get(name)

    def put(self, name: Name, reading: _Cached[T]) -> None:
        """Of one that is not there. Its namespace has had its turn."""
        own = self._of[name[0]] = self._of.pop(name[0], {})
        own[name] = reading

    def forget(self, name: Name) -> None:
        own = self._of.get(name[0], {})
        own.pop(name, None)
        if not own:
            self._of.pop(name[0], None)

    def old(self, until: float) -> Iterator[Name]:
        """Those that were read before, namespaces in turn."""
        rows = [self._old_of(own, until) for own in self._of.values()]
        for place in itertools.zip_longest(*rows):
            yield from (name for name in place if name is not None)

    def _old_of(self, own: dict[Name, _Cached[T]], until: float) -> Iterator[Name]:
        return (x for x, _ in itertools.takewhile(lambda x: x[1].read_at <= until, own.items()))


class PollingCache(Generic[T]):
    """Those in use, as they were when they were last read. What cannot be read now is not gone."""

    def __init__(
        self,
        find: Callable[[Name], Awaitable[T]],
        clock: Clock,
        changed: Callable[[Name], None],
        turns: Sequence[Turn],
        sort: Callable[[T], int],
        *,
        watched: bool = False,
    ) -> None:
        """`find`: reads one; raises ApiError. `changed`: called for one that is in use and is
        another now. `sort`: which of the turns is a value's. `watched`: a watch tells of changes,
        so nothing is read again."""
        self._find = find
        self._clock = clock
        self._changed = changed
        self._turns = [(turn, _Readings[T]()) for turn in turns]
        self._sort = sort
        self._users: defaultdict[Name, set[object]] = defaultdict(set)
        self._used: dict[object, frozenset[Name]] = {}
        self._reading = asyncio.Semaphore(AT_ONCE)
        self._watched = watched

    def use(self, user: object, names: frozenset[Name]) -> None:
        """What `user` refers to from now on; forgets what nobody refers to any more."""
        for name in self._used.get(user, frozenset()) - names:
            self._users[name].discard(user)
            if not self._users[name]:
                del self._users[name]
                self.forget(name)
        for name in names:
            self._users[name].add(user)
        if names:
            self._used[user] = names
        else:
            self._used.pop(user, None)

    def users(self, name: Name) -> set[object]:
        return set(self._users.get(name, ()))

    async def read(self, names: Iterable[Name]) -> dict[Name, T | ApiError]:
        """ApiError: it is not known, and not remembered."""
        found: dict[Name, T | ApiError] = {}

        async def read(name: Name) -> None:
            found[name] = await self._one(name)

        await for_each(set(names), read)
        return found

    def put(self, name: Name, value: T) -> None:
        """As it was just written or read."""
        self.forget(name)
        _, readings = self._turns[self._sort(value)]
        readings.put(name, _Cached(value, self._clock.monotonic()))

    def forget(self, name: Name) -> None:
        """It is read again when it is next asked for."""
        for _, readings in self._turns:
            readings.forget(name)

    def saw(self, name: Name, value: T) -> None:
        """As it is now, in use or not."""
        before = self._known(name)
        if before is None and name not in self._users:
            return
        self.put(name, value)
        if before is None or before.value != value:
            self._changed(name)

    async def keep_fresh(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            if not self._watched:
                await self.refresh()

    async def refresh(self) -> None:
        """What a second allows of those that are old: namespaces in turn, and of each the oldest
        first."""
        now, due = self._clock.monotonic(), list[Name]()
        for turn, readings in self._turns:
            due += itertools.islice(readings.old(now - turn.after), turn.per_second)
        for name in due:
            await self._refresh(name)

    def _known(self, name: Name) -> _Cached[T] | None:
        return next((found for _, x in self._turns if (found := x.get(name)) is not None), None)

    async def _refresh(self, name: Name) -> None:
        known = self._known(name)
        try:
            value = await self._find(name)
        except ApiError:
            if known is not None and known is self._known(name):
                self.put(name, known.value)  # others have their turn first
            return
        if known is self._known(name):  # else it was written or seen meanwhile
            self.saw(name, value)

    async def _one(self, name: Name) -> T | ApiError:
        if (known := self._known(name)) is not None:
            return known.value
        async with self._reading:
            try:
                value = await self._find(name)
            except ApiError as error:
                return error
        if (known := self._known(name)) is None:
            self.put(name, value)
        return value if known is None else known.value


async def for_each(items: Iterable[Item], work: Callable[[Item], Awaitable[None]]) -> None:
    """`AT_ONCE` of them at a time, and no more tasks than that. `work` raises nothing."""
    left = iter(items)

    async def worker() -> None:
        for item in left:
            await work(item)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(worker())
