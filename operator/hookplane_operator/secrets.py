"""Secrets that objects refer to, by `get` alone: the right to list them is not needed.

Each one in use is read again at least once a minute (up to 600 of them; more take their turn).
Generated ones, which nobody else has a reason to change, have a slower turn of their own: there may
be thousands. A Secret that cannot be read now is not a Secret that is gone: the difference decides
over 503s.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import itertools
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from hookplane.clock import Clock
from hookplane.compile.model import SecretObject
from hookplane.secret import Secret
from hookplane_operator.kube.errors import ApiError
from hookplane_operator.kube.kinds import Object

REFRESH_SECONDS: Final = 50.0
READS_PER_SECOND: Final = 10
GENERATED_PER_SECOND: Final = 2
AT_ONCE: Final = 16
GENERATED_FOR: Final = "hookplane.dev/generated-for"
"""Label of Secrets that we made: uid of the object that they are for."""

T = TypeVar("T")
Name = tuple[str, str]
"""Namespace and name."""
Find = Callable[[Name], Awaitable[Object | None]]
"""Reads an object; None: there is none. Raises ApiError."""


@dataclass(frozen=True, slots=True)
class Found:
    """A Secret with what is known of it besides its values."""

    secret: SecretObject
    uid: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Entry:
    found: Found | None
    read_at: float


class Secrets:
    """Those in use, as they were when they were last read."""

    def __init__(self, find: Find, clock: Clock, changed: Callable[[Name], None]) -> None:
        """`changed`: called for one that is in use and is another now."""
        self._find = find
        self._clock = clock
        self._changed = changed
        self._given: dict[Name, _Entry] = {}
        self._generated: dict[Name, _Entry] = {}
        """Both in the order of reading."""
        self._users: defaultdict[Name, set[object]] = defaultdict(set)
        self._used: dict[object, frozenset[Name]] = {}
        self._reading = asyncio.Semaphore(AT_ONCE)
        self.watched = False
        """True: a watch tells of changes, so nothing is read again."""

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

    async def read(self, names: Iterable[Name]) -> dict[Name, Found | ApiError | None]:
        """None: there is no such Secret. ApiError: it is not known whether there is."""
        found: dict[Name, Found | ApiError | None] = {}

        async def read(name: Name) -> None:
            found[name] = await self._one(name)

        await for_each(names, read)
        return found

    def put(self, found: Found) -> None:
        """One that was just written or watched."""
        self._remember((found.secret.namespace, found.secret.name), found)

    def forget(self, name: Name) -> None:
        """It is read again when it is next asked for."""
        self._given.pop(name, None)
        self._generated.pop(name, None)

    def saw(self, kind: str | None, body: Object) -> None:
        """An event of a watch."""
        found = found_of(body)
        name = (found.secret.namespace, found.secret.name)
        self._take(name, None if kind == "DELETED" else found)

    async def keep_fresh(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            if not self.watched:
                await self.refresh()

    async def refresh(self) -> None:
        """What a second allows of those that are old, the oldest first."""
        for name in (
            *self._old(self._given, READS_PER_SECOND),
            *self._old(self._generated, GENERATED_PER_SECOND),
        ):
            await self._refresh(name)

    def _old(self, entries: Mapping[Name, _Entry], most: int) -> list[Name]:
        old = self._clock.monotonic() - REFRESH_SECONDS
        first = itertools.islice(entries.items(), most)
        return [name for name, entry in first if entry.read_at <= old]

    def _entry(self, name: Name) -> _Entry | None:
        return self._given.get(name) or self._generated.get(name)

    def _remember(self, name: Name, found: Found | None) -> None:
        self.forget(name)
        generated = found is not None and found.secret.generated
        entries = self._generated if generated else self._given
        entries[name] = _Entry(found, self._clock.monotonic())

    async def _refresh(self, name: Name) -> None:
        try:
            body = await self._find(name)
        except ApiError:
            if (entry := self._entry(name)) is not None:  # others have their turn first
                self._remember(name, entry.found)
            return
        self._take(name, None if body is None else found_of(body))

    def _take(self, name: Name, found: Found | None) -> None:
        entry = self._entry(name)
        if entry is None and name not in self._users:
            return
        before = entry.found if entry else None
        self._remember(name, found)
        if found != before:
            self._changed(name)

    async def _one(self, name: Name) -> Found | ApiError | None:
        entry = self._entry(name)
        if entry is not None:
            return entry.found
        async with self._reading:
            try:
                body = await self._find(name)
            except ApiError as error:
                return error
        found = None if body is None else found_of(body)
        self._remember(name, found)
        return found


async def for_each(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    """`AT_ONCE` of them at a time, and no more tasks than that. `work` raises nothing."""
    left = iter(items)

    async def worker() -> None:
        for item in left:
            await work(item)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(worker())


def found_of(body: Object) -> Found:
    """A Secret as the API server gives it."""
    metadata = body["metadata"]
    labels = metadata.get("labels") or {}
    secret = SecretObject(
        namespace=metadata["namespace"],
        name=metadata["name"],
        data={name: Secret(_decoded(text)) for name, text in (body.get("data") or {}).items()},
        type=body.get("type", "Opaque"),
        generated=GENERATED_FOR in labels,
    )
    return Found(secret, metadata.get("uid", ""), labels, metadata.get("annotations") or {})


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return b""
