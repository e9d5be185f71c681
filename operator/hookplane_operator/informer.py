"""Kopf as the layer that watches: its handlers hand on what they see, and nothing else.

Kopf runs in a thread and a loop of its own: in a shared one it cancels tasks that are not its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

import kopf

from hookplane_operator.kube.kinds import Object, Resource

STOP_SECONDS: Final = 10.0

Saw = Callable[[str, str | None, Object], None]
"""Kind, type of the watch event (None: it was there at the beginning), and the object."""

_IDENTITY: Final = cast(Any, "hookplane")
"""Among Kopf's peers, of which there are none; else it asks who the user is, and the user of a
container may have no name."""

_log = logging.getLogger("hookplane.operator")


class Informer:
    """Watches some resources in some namespaces; `saw` is called in the loop that started it."""

    def __init__(
        self,
        resources: Iterable[Resource],
        namespaces: tuple[str, ...],
        saw: Saw,
        selectors: dict[str, str] | None = None,
        *,
        scan: bool,
    ) -> None:
        """`namespaces` empty: all of them. `selectors`: kind → label selector. `scan`: whether to
        notice APIs that appear later, which takes the right to watch CRDs."""
        self._scan = scan
        self._resources = tuple(resources)
        self._namespaces = namespaces
        self._saw = saw
        self._selectors = selectors or {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.failed: asyncio.Future[None] | None = None
        """Never done unless Kopf ended by itself, which is an error."""

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.failed = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="kopf", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """It watches no more, and nobody asked it to stop."""
        return self.failed is not None and self.failed.done() and bool(self.failed.exception())

    async def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, STOP_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(
                kopf.operator(
                    registry=self._registry(),
                    settings=self._settings(),
                    namespaces=self._namespaces,
                    clusterwide=not self._namespaces,
                    stop_flag=self._stop,
                    standalone=True,
                    identity=_IDENTITY,
                )
            )
        except Exception as error:
            _log.exception("Kopf ended")
            self._tell(error)
        else:
            if not self._stop.is_set():
                self._tell(RuntimeError("Kopf ended by itself"))

    def _tell(self, error: Exception) -> None:
        assert self._loop is not None  # noqa: S101 - for the type checker
        self._loop.call_soon_threadsafe(self._fail, error)

    def _fail(self, error: Exception) -> None:
        if self.failed is not None and not self.failed.done():
            self.failed.set_exception(error)

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(_login)
        for resource in self._resources:
            kopf.on.event(resource.group, resource.version, resource.plural, registry=registry)(
                self._handler(resource.kind)
            )
        return registry

    def _handler(self, kind: str) -> Any:
        def handle(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002
            assert self._loop is not None  # noqa: S101 - for the type checker
            seen = _plain(body)
            self._loop.call_soon_threadsafe(self._saw, kind, type, seen)

        return handle

    def _settings(self) -> kopf.OperatorSettings:
        settings = kopf.OperatorSettings()
        settings.posting.enabled = False
        settings.scanning.disabled = not self._scan
        settings.watching.chunk_size = 250
        settings.networking.error_backoffs = [1, 1, 2, 3, 5, 8]
        selectors = {
            f"{x.plural}.{x.version}{'.' if x.group else ''}{x.group}": self._selectors[x.kind]
            for x in self._resources
            if x.kind in self._selectors
        }
        for name, selector in selectors.items():
            settings.watching.label_selectors[name] = selector
        return settings


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return kopf.login_with_service_account(**kwargs)
    return kopf.login_with_kubeconfig(**kwargs)


def _plain(body: kopf.Body) -> Object:
    """What is kept of an object: all but the record of who owns which field."""
    seen: Object = {name: body[name] for name in body if name != "metadata"}
    metadata = body["metadata"]
    seen["metadata"] = {name: metadata[name] for name in metadata if name != "managedFields"}
    return seen
