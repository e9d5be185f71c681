"""Secrets that objects refer to, by `get` alone: the right to list them is not needed.

Each one in use is read again at least once a minute (up to 600 of them; more take their turn). A
Secret that cannot be read now is not a Secret that is gone: the difference decides over 503s.
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
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError
from hookplane_operator.kube.kinds import SECRET, Object

REFRESH_SECONDS: Final = 50.0
READS_PER_SECOND: Final = 10
AT_ONCE: Final = 16
GENERATED_FOR: Final = "hookplane.dev/generated-for"
"""Label of Secrets that we made: uid of the object that they are for."""

T = TypeVar("T")
Name = tuple[str, str]
"""Namespace and name."""


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

    def __init__(self, kube: Kube, clock: Clock, changed: Callable[[Name], None]) -> None:
        """`changed`: called for one that is in use and is another now."""
        self._kube = kube
        self._clock = clock
        self._changed = changed
        self._entries: dict[Name, _Entry] = {}
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
                self._entries.pop(name, None)
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
        self._entries.pop(name, None)

    def saw(self, kind: str | None, body: Object) -> None:
        """An event of a watch."""
        found = found_of(body)
        name = (found.secret.namespace, found.secret.name)
        self._take(name, None if kind == "DELETED" else found)

    async def keep_fresh(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            if self.watched:
                continue
            for name in self._due():
                await self._refresh(name)

    def _due(self) -> list[Name]:
        """Those that were read longest ago: they come first."""
        old = self._clock.monotonic() - REFRESH_SECONDS
        first = itertools.islice(self._entries.items(), READS_PER_SECOND)
        return [name for name, entry in first if entry.read_at <= old]

    def _remember(self, name: Name, found: Found | None) -> None:
        self._entries.pop(name, None)
        self._entries[name] = _Entry(found, self._clock.monotonic())

    def _postpone(self, name: Name) -> None:
        """It cannot be read now; others have their turn before it is tried again."""
        if (entry := self._entries.pop(name, None)) is not None:
            self._entries[name] = _Entry(entry.found, self._clock.monotonic())

    async def _refresh(self, name: Name) -> None:
        try:
            body = await self._kube.find(SECRET, *name)
        except ApiError:
            self._postpone(name)
            return
        self._take(name, None if body is None else found_of(body))

    def _take(self, name: Name, found: Found | None) -> None:
        entry = self._entries.get(name)
        if entry is None and name not in self._users:
            return
        before = entry.found if entry else None
        self._remember(name, found)
        if found != before:
            self._changed(name)

    async def _one(self, name: Name) -> Found | ApiError | None:
        entry = self._entries.get(name)
        if entry is not None:
            return entry.found
        async with self._reading:
            try:
                body = await self._kube.find(SECRET, *name)
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
