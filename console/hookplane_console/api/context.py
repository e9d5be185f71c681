"""What every handler has at hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from aiohttp import web

from hookplane.clock import Clock
from hookplane.store.delivery_store import Delivery, EventKey, NewReplay, ReplayJob
from hookplane.store.queries import Queries
from hookplane_console.api.directory import Directory, QualifiedName
from hookplane_console.api.parameters import name_of
from hookplane_console.trigger import Trigger

MAX_BODY_BYTES: Final = 64 * 1024
"""Bodies of requests."""


class AdminStore(Queries, Protocol):
    """What the admin API does with a store: it looks, and asks the owner of a subscription."""

    async def create_replay(self, replay: NewReplay) -> ReplayJob: ...

    async def request_resume(self, subscription: str) -> None: ...

    async def first_rows(
        self, subscription: str, keys: Sequence[EventKey]
    ) -> tuple[Delivery, ...]: ...


ManifestsView = Callable[[], Mapping[str, Any]]
"""`loadedTime`, `problems`, `notes` and `fault` of the files that objects come from."""


@dataclass(frozen=True, slots=True)
class Context:
    """The console's parts."""

    store: AdminStore
    directory: Directory
    clock: Clock
    receiver_url: str
    trigger: Trigger | None
    """None: this console has no right to sign."""
    manifests: ManifestsView


Handler = Callable[[Context, web.Request], Awaitable[web.Response]]


class ApiRoute(NamedTuple):
    """Where a handler is found."""

    method: str
    path: str
    handler: Handler
    parameters: frozenset[str] = frozenset()
    """Those of the query string; another one is refused, since it would be ignored."""


Routes = tuple[ApiRoute, ...]


def path_key(request: web.Request) -> QualifiedName:
    """{namespace} and {name} of a path."""
    return name_of(f"{request.match_info['namespace']}/{request.match_info['name']}", "name")
