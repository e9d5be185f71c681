"""Contents of events in memory: each is read once for all workers, within one budget of bytes, of
which each namespace has a share."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from hookplane.filters.event import EventView
from hookplane.store.event_log import Content, EventLog, EventRead, LogEntry
from hookplane_dispatcher.reading.shares import Shares

OVERHEAD: Final = 2048
"""Bytes counted at least for an event besides its body: headers and bookkeeping."""
_EVENT_BYTES: Final = 768
_HEADER_BYTES: Final = 176
"""What an event takes without body and headers, and a header without its letters, measured."""

Key = tuple[str, int]
"""Endpoint and sequence."""
NameOf = Callable[[str], tuple[str, str]]
"""Endpoint uid → (namespace, name)."""


class CachedEvent:
    """An event with its content. Whoever acquired it releases it."""

    __slots__ = ("key", "references", "size", "view")

    def __init__(self, key: Key, view: EventView, size: int) -> None:
        self.key = key
        self.view = view
        self.size = size
        self.references = 0


Acquired: TypeAlias = dict[int, CachedEvent | None]
"""Sequence → the content; None: retention has removed the event."""


class _Waiter(NamedTuple):
    """Somebody who cannot go on before there is room."""

    called: asyncio.Future[None]
    size: int
    """Bytes that he needs."""


class ContentCache:
    """Keeps the contents in use, and as many others as fit; those go when room is needed."""

    def __init__(self, store: EventLog, name_of: NameOf, limit: int, readers: int) -> None:
        self._store = store
        self._name_of = name_of
        self._limit = limit
        self._readers = asyncio.Semaphore(readers)
        self._all: dict[Key, CachedEvent] = {}
        self._idle: OrderedDict[Key, CachedEvent] = OrderedDict()
        self._shares = Shares(limit)
        self._loading: dict[Key, asyncio.Future[None]] = {}
        self._waiting: dict[str, deque[_Waiter]] = {}
        """By namespace, in the order of turns: who had one goes to the end."""
        self.used = 0
        """Bytes; at most the limit or one event that is larger, and what the headers of one read
        take beyond what was counted before."""

    @property
    def in_use(self) -> int:
        """Bytes of what was acquired and not released, and of what is being read."""
        return self._shares.in_use

    async def acquire(self, entries: Sequence[LogEntry]) -> Acquired:
        """Contents by sequence, for entries of one endpoint; None: removed by retention. Entries
        for which there is no room now are left out, but never all: it waits until there is room for
        one. Raises StoreUnavailable."""
        held: Acquired = {}
        try:
            while left := self._hold_present(entries, held):
                if not await self._progress(left, held):
                    break
        except BaseException:
            self.release_all(held)
            raise
        return held

    def offer(self, events: Sequence[EventRead]) -> None:
        """Takes in what was read with the log, as far as there is room beside what is in use."""
        for entry, content in events:
            key = _key(entry)
            if content is not None and not (key in self._all or key in self._loading):
                weight = _weight(content)
                self._make_room(weight)
                if self.used + weight <= self._limit:
                    self._keep(entry, content)

    def name_of(self, endpoint: str) -> str:
        """Of an endpoint, for people: `namespace/name`."""
        return "/".join(self._name_of(endpoint))

    def release(self, body: CachedEvent) -> None:
        """Returns what was acquired; it stays in memory while there is room."""
        body.references -= 1
        if body.references:
            return
        self._idle[body.key] = body
        self._shares.give(body.view.namespace, body.size)
        if self._waiting:
            self._call_next()

    def release_all(self, acquired: Acquired) -> None:
        """Releases what is left of it: whoever keeps one for longer takes it out before."""
        for body in acquired.values():
            if body is not None:
                self.release(body)
        acquired.clear()

    def _hold_present(self, entries: Sequence[LogEntry], held: Acquired) -> list[LogEntry]:
        """Holds what is in memory and returns the rest."""
        left = []
        for entry in entries:
            if entry.sequence in held:
                continue
            body = self._all.get((entry.endpoint, entry.sequence))
            if body is None:
                left.append(entry)
            else:
                self._hold(body)
                held[entry.sequence] = body
        return left

    def _hold(self, body: CachedEvent) -> None:
        if not body.references:
            self._idle.pop(body.key, None)
            self._shares.take(body.view.namespace, body.size)
        body.references += 1

    def _call_next(self) -> None:
        """Calls the first one of the first namespace that has room for it."""
        for namespace in list(self._waiting):
            waiting = self._waiting.pop(namespace)
            while waiting and waiting[0].called.done():  # nobody waits any more
                waiting.popleft()
            called = waiting and self._has_room(namespace, waiting[0].size)
            if called:
                waiting.popleft().called.set_result(None)
            if waiting:
                self._waiting[namespace] = waiting
            if called:
                return

    async def _progress(self, left: list[LogEntry], held: Acquired) -> bool:
        """One step: others' reads, a read, or a wait for room; False: go with what is held."""
        if self._loading and (others := self._others_loading(left)):
            await asyncio.wait(others)
            return True
        count = self._fitting(left)
        if count:
            held.update(await self._read(left[:count]))
            return True
        if any(held.values()):
            return False
        waiter = _Waiter(asyncio.get_running_loop().create_future(), _size(left[0]))
        self._waiting.setdefault(self._namespace(left[0]), deque()).append(waiter)
        try:
            await waiter.called
        except asyncio.CancelledError:
            self._call_next()
            raise
        return True

    def _others_loading(self, entries: list[LogEntry]) -> set[asyncio.Future[None]]:
        """The reads under way that bring some of these entries."""
        return {self._loading[key] for key in map(_key, entries) if key in self._loading}

    def _fitting(self, entries: list[LogEntry]) -> int:
        """How many of them fit when idle contents give way, into the share of their namespace; an
        empty cache takes one of any size."""
        room = self._shares.room(self._namespace(entries[0]))
        for count, entry in enumerate(entries):
            room -= _size(entry)
            if room < 0:
                return max(count, int(not self._shares.in_use))
        return len(entries)

    def _has_room(self, namespace: str, size: int) -> bool:
        return not self._shares.in_use or size <= self._shares.room(namespace)

    def _namespace(self, entry: LogEntry) -> str:
        return self._name_of(entry.endpoint)[0]

    async def _read(self, entries: list[LogEntry]) -> dict[int, None]:
        """Reads contents; returns those that retention removed."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        keys = [_key(entry) for entry in entries]
        namespace, reserved = self._namespace(entries[0]), sum(map(_size, entries))
        self._make_room(reserved)
        self.used += reserved
        self._shares.take(namespace, reserved)
        self._loading.update(dict.fromkeys(keys, done))
        found: dict[int, Content] = {}
        try:
            async with self._readers:
                found = await self._store.read_contents(
                    entries[0].endpoint, [entry.sequence for entry in entries]
                )
        finally:
            self.used -= reserved
            self._shares.give(namespace, reserved)
            for key in keys:
                del self._loading[key]
            done.set_result(None)
            self._call_next()
        for entry in entries:
            if (content := found.get(entry.sequence)) is not None:
                self._keep(entry, content)
        return {entry.sequence: None for entry in entries if entry.sequence not in found}

    def _keep(self, entry: LogEntry, content: Content) -> None:
        body = CachedEvent(_key(entry), self._view(entry, content), _weight(content))
        self._all[body.key] = self._idle[body.key] = body
        self.used += body.size

    def _make_room(self, size: int) -> None:
        while self._idle and self.used + size > self._limit:
            key, body = self._idle.popitem(last=False)
            del self._all[key]
            self.used -= body.size

    def _view(self, entry: LogEntry, content: Content) -> EventView:
        namespace, name = self._name_of(entry.endpoint)
        return EventView(
            entry.event_id,
            entry.type,
            name,
            namespace,
            entry.received,
            content.headers,
            content.body,
            entry.key,
        )


def _key(entry: LogEntry) -> Key:
    return (entry.endpoint, entry.sequence)


def _size(entry: LogEntry) -> int:
    """What is known before an event is read: most have few headers."""
    return entry.size + OVERHEAD


def _weight(content: Content) -> int:
    besides = _EVENT_BYTES
    for name, value in content.headers:
        besides += _HEADER_BYTES + len(name) + len(value)
    return len(content.body) + max(OVERHEAD, besides)
