"""Kopf as the layer that watches: its handlers hand on what they see, and nothing else.

Kopf runs in a thread with a loop of its own, because in a shared loop it cancels tasks that are not
its own. It ends when a kind is not served any more, or when a watch breaks in a way that it does
not know. Then it is started again. Objects that were deleted in between are missing in its list,
and no event tells of them, so the caller is told that the kind must be listed again.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Final, cast

import kopf

from hookplane.pacing.backoff import pause_after
from hookplane_operator.kube.kinds import Object, Resource

STOP_SECONDS: Final = 10.0
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
"""Seconds before Kopf is started again; doubled each time that it ends soon."""
START_SECONDS: Final = 60.0
"""Objects that are listed within this time after the start are listed for the first time. A later
list means that a watch was interrupted. A Kopf that ends within this time ends soon."""
REQUEST_SECONDS: Final = 60.0
CONNECT_SECONDS: Final = 10.0
IDLE_SECONDS: Final = 0.1
"""How long Kopf waits for more events of an object, and keeps the object for that. Short, because
while it lists this is a second copy of everything."""

Saw = Callable[[str, str | None, Object], None]
"""Called with a kind, the type of the watch event (None: it was listed), and the object."""
Served = Callable[[], Awaitable[None]]

_IDENTITY: Final = cast(Any, "hookplane")
"""Our name among Kopf's peers, of which there are none. Without it Kopf asks for the name of the
user, and the user of a container may have none."""

_log = logging.getLogger("hookplane.operator")


class Informer:
    """Watches some resources in some namespaces; `saw` is called in the loop that runs it."""

    def __init__(
        self,
        resources: Iterable[Resource],
        namespaces: tuple[str, ...],
        saw: Saw,
        relisted: Callable[[str], None],
        served: Served,
        selectors: dict[str, str] | None = None,
        *,
        scan: bool,
    ) -> None:
        """`namespaces` empty: all of them. `relisted`: called with a kind whose watch was
        interrupted. `served`: returns when there is something to watch. `selectors`: kind → label
        selector. `scan`: whether to watch APIs that appear later, too, which takes the right to
        watch CRDs."""
        self._scan = scan
        self._resources = tuple(resources)
        self._namespaces = namespaces
        self._saw = saw
        self._relisted = relisted
        self._served = served
        self._selectors = selectors or {}
        self._listed_by = 0.0
        """Monotonic seconds. Until then, what is listed is listed for the first time."""

    async def run(self) -> None:
        """Watches until cancelled."""
        self._listed_by = time.monotonic() + START_SECONDS
        ended_soon = 0
        while True:
            await self._served()
            begun = time.monotonic()
            await self._watch()
            soon = time.monotonic() - begun < START_SECONDS
            ended_soon = ended_soon + 1 if soon else 0
            await asyncio.sleep(pause_after(ended_soon + 1, FIRST_PAUSE, LONGEST_PAUSE))
            self._listed_by = 0.0
            for resource in self._resources:
                self._relisted(resource.kind)

    async def _watch(self) -> None:
        """Runs Kopf in a thread, and returns when it has ended."""
        loop = asyncio.get_running_loop()
        stop, ended = threading.Event(), asyncio.Event()
        thread = threading.Thread(
            target=self._run, args=(loop, stop, ended), name="kopf", daemon=True
        )
        thread.start()
        try:
            await ended.wait()
        finally:
            stop.set()
            await asyncio.to_thread(thread.join, STOP_SECONDS)

    def _run(
        self, loop: asyncio.AbstractEventLoop, stop: threading.Event, ended: asyncio.Event
    ) -> None:
        try:
            asyncio.run(self._serve(loop, stop))
        except Exception as error:
            names = ", ".join(x.plural for x in self._resources)
            _log.warning("the watch of %s ended: %s: %s", names, type(error).__name__, error)
            _log.debug("the watch of %s", names, exc_info=error)
        _call(loop, ended.set)

    async def _serve(self, loop: asyncio.AbstractEventLoop, stop: threading.Event) -> None:
        try:
            await kopf.operator(
                registry=self._registry(loop),
                settings=self._settings(),
                namespaces=self._namespaces,
                clusterwide=not self._namespaces,
                stop_flag=stop,
                standalone=True,
                identity=_IDENTITY,
            )
        finally:
            stop.set()  # one of Kopf's threads waits for it, and the loop ends after that thread

    def _registry(self, loop: asyncio.AbstractEventLoop) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(_login)
        for resource in self._resources:
            kopf.on.event(resource.group, resource.version, resource.plural, registry=registry)(
                self._handler(loop, resource.kind)
            )
        return registry

    def _handler(self, loop: asyncio.AbstractEventLoop, kind: str) -> Any:
        async def handle(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002
            _call(loop, self._saw, kind, type, _plain(body))
            if type is None and time.monotonic() > self._listed_by:
                _call(loop, self._relisted, kind)

        return handle

    def _settings(self) -> kopf.OperatorSettings:
        settings = kopf.OperatorSettings()
        settings.posting.enabled = False
        settings.persistence.diffbase_storage = _NoDiffs()
        settings.scanning.disabled = not self._scan
        settings.watching.chunk_size = 250
        settings.queueing.idle_timeout = IDLE_SECONDS
        settings.networking.error_backoffs = _Pauses()
        settings.networking.request_timeout = REQUEST_SECONDS
        settings.networking.connect_timeout = CONNECT_SECONDS
        selectors = {
            f"{x.plural}.{x.version}{'.' if x.group else ''}{x.group}": self._selectors[x.kind]
            for x in self._resources
            if x.kind in self._selectors
        }
        for name, selector in selectors.items():
            settings.watching.label_selectors[name] = selector
        return settings


class _NoDiffs(kopf.DiffBaseStorage):
    """Keeps Kopf from copying each object to find out how it differs from the last one that was
    handled. Handlers of events do not need that."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: Any) -> None:
        """Nothing is handled, so there is nothing to store."""


class _Pauses:
    """Seconds between two tries of one request, without end. An API server that is away, is busy
    (then Kopf waits at least as long as it asks for) or refuses (403) may answer tomorrow, and the
    watches of other kinds must go on until then."""

    def __iter__(self) -> Iterator[float]:
        for pause in itertools.chain((1.0, 1.0, 2.0, 3.0, 5.0), itertools.repeat(8.0)):
            yield pause * random.uniform(1.0, 1.5)  # noqa: S311


def _call(loop: asyncio.AbstractEventLoop, what: Callable[..., object], *arguments: Any) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(what, *arguments)


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return kopf.login_with_service_account(**kwargs)
    return kopf.login_with_kubeconfig(**kwargs)


def _plain(body: kopf.Body) -> Object:
    """The object without Kopf's wrapping."""
    return {**body, "metadata": dict(body["metadata"])}
