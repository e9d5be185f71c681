"""One kind in one namespace, or in all: a full list, and a watch that goes on from it.

Whatever interrupts a watch, a full list follows: only that is sure to be right after etcd was
restored, since a watch from a version that is still to come stays silent. Watches are short,
because one that has fallen silent is told from a quiet one only by not ending when it should.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from typing import Final

from hookplane.pacing.backoff import pause_after
from hookplane_operator.kube.answers import WatchEvent
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError
from hookplane_operator.kube.kinds import Object
from hookplane_operator.kube.objects import GONE, MISSING, uid_of, version_number, version_of
from hookplane_operator.watch.knowledge import Knowledge, KnowledgeSource

WATCH_SECONDS: Final = 40.0
"""How long a watch lasts; the next one goes on where it ended."""
BEGIN_SECONDS: Final = 5.0
"""A watch that begins later than this after the last word of the API server is not made, but a full
list: meanwhile etcd may have been restored, and a version of before may be still to come."""
LIST_AGAIN_SECONDS: Final = 900.0
"""A full list at least so often, whatever watches tell."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 8.0
"""Seconds until a list that failed is tried again; doubled each time in a row."""
EVERY_SECONDS: Final = 40.0
"""The same for watches: where they are refused, lists do the work, so often."""
_JITTER: Final = 0.25

Saw = Callable[[str, str | None, Object], None]
"""Called with a kind, the type of the watch event (None: it was listed; MISSING: a list does not
have it any more), and the object."""
Name = tuple[str, str]
"""Namespace and name."""

_log = logging.getLogger("hookplane.operator")


class Reflector:
    """Hands on what it sees; `run` is a task of its own."""

    def __init__(
        self,
        kube: Kube,
        source: KnowledgeSource,
        selector: str,
        saw: Saw,
        knowledge: Knowledge,
        told: Callable[[], None],
    ) -> None:
        """`source`: which kind, and where. `selector`: of labels; empty: all. `told`: called
        after the first full list."""
        self._kube = kube
        self._resource = source.resource
        self._namespace = source.namespace
        self._selector = selector
        self._saw = saw
        self._knowledge = knowledge
        self._told = told
        self.source = source
        self.tried = asyncio.Event()
        """Set when it was listed, or could not be."""
        self.listed = asyncio.Event()
        """Set when it was listed."""
        self._version = ""
        """Where the next watch begins; empty: after a list."""
        self._listed_at = 0.0
        self._lists_failed = 0
        """In a row."""
        self._watches_failed = 0
        self._known: dict[Name, str] = {}
        """Name → uid of all that was handed on."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                if not self._version:
                    await self.list()
                await self._watch()
            except ApiError as error:
                await self._interrupted(error)

    async def list(self) -> None:
        """Hands on what there is, and what is gone as missing. Raises ApiError."""
        begun, version, found = self._knowledge.now(), "", set[Name]()
        async for page in self._kube.pages(
            self._resource, self._namespace, selector=self._selector
        ):
            version = version or str(page["metadata"].get("resourceVersion", ""))
            for body in page.get("items") or ():
                body.setdefault("kind", self._resource.kind)
                body.setdefault("apiVersion", self._resource.api_version)
                found.add(self._hand_on(None, body))
        for name in self._known.keys() - found:
            self._hand_on(MISSING, self._stub(name))
        self._version, self._listed_at, self._lists_failed = version, begun, 0
        self._knowledge.learned(self.source, begun)
        self.tried.set()
        if not self.listed.is_set():
            self.listed.set()
            self._told()

    def withdraw(self) -> None:
        """The kind is not there any more, and so is nothing of it."""
        for name in list(self._known):
            self._hand_on(MISSING, self._stub(name))
        self._knowledge.forget(self.source)

    async def _watch(self) -> None:
        """As long as a watch lasts. Raises ApiError."""
        events = self._kube.watch(
            self._resource,
            self._namespace,
            self._version,
            WATCH_SECONDS,
            within=BEGIN_SECONDS,
            selector=self._selector,
        )
        async with contextlib.aclosing(events):
            async for event in events:
                self._take(event)
        self._hear()
        if self._knowledge.now() - self._listed_at > LIST_AGAIN_SECONDS:
            self._version = ""

    def _take(self, event: WatchEvent) -> None:
        """Raises ApiError when history went back."""
        if version_of(event.body) < version_number(self._version):
            raise ApiError(0, f"version {event.version} came after {self._version}")
        if event.type != "BOOKMARK":
            self._hand_on(event.type, event.body)
        self._version = event.version
        self._hear()

    def _hear(self) -> None:
        self._watches_failed = 0
        self._knowledge.heard(self.source)

    def _hand_on(self, type: str | None, body: Object) -> Name:  # noqa: A002
        name = body["metadata"].get("namespace", ""), body["metadata"]["name"]
        if type in GONE:
            self._known.pop(name, None)
        else:
            self._known[name] = uid_of(body)
        self._saw(self._resource.kind, type, body)
        return name

    def _stub(self, name: Name) -> Object:
        """All that is left of an object that is gone."""
        return {"metadata": {"namespace": name[0], "name": name[1], "uid": self._known[name]}}

    async def _interrupted(self, error: ApiError) -> None:
        """Waits until it is worth a try."""
        listed = bool(self._version)
        self._version = ""
        self._knowledge.failed(self.source, str(error), watch=listed)
        self.tried.set()
        _log.log(_level(error), "%s", error)
        await asyncio.sleep(self._pause(listed=listed) * _jitter())

    def _pause(self, *, listed: bool) -> float:
        """Seconds. `listed`: a watch failed; else a list did."""
        if not listed:
            self._lists_failed += 1
            return pause_after(self._lists_failed, FIRST_PAUSE, LONGEST_PAUSE)
        self._watches_failed += 1
        return pause_after(self._watches_failed, FIRST_PAUSE, EVERY_SECONDS)


def _jitter() -> float:
    return random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311


def _level(error: ApiError) -> int:
    """History that is too old, and watches that end, are of every day."""
    return logging.INFO if error.status == 410 else logging.WARNING
