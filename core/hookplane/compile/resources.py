"""Compiles all resources of a gateway, with the Secrets at hand, into config documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

from hookplane import fault
from hookplane.clock import Millis
from hookplane.compile.endpoint import EndpointCompiler, builtin_endpoints
from hookplane.compile.generated import ROTATE, GeneratedKeys
from hookplane.compile.model import (
    Compiled,
    Options,
    Problem,
    Resource,
    SecretObject,
    WantedSecret,
    uid_of,
)
from hookplane.compile.problems import Problems
from hookplane.compile.references import Neighbours
from hookplane.compile.replay import compile_replay
from hookplane.compile.room import Room
from hookplane.compile.secrets import SecretLookup
from hookplane.compile.subscription import SubscriptionCompiler
from hookplane.config.base import Document
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.kinds.conditions import Reason
from hookplane.kinds.endpoint import WebhookEndpoint
from hookplane.kinds.gateway import WebhookGateway
from hookplane.kinds.replay import WebhookReplay
from hookplane.kinds.subscription import WebhookSubscription
from hookplane.store.delivery_store import NewReplay

R = TypeVar("R", bound=Resource)
T = TypeVar("T")

_ONLY_IN_A_CLUSTER: Final = "has a meaning only in a cluster; here one data plane serves everything"


def compile_resources(
    resources: Sequence[Resource],
    secrets: Iterable[SecretObject],
    options: Options,
    *,
    now: Millis,
    known: Sequence[Document] = (),
) -> Compiled:
    """Never raises because of what a resource says; see `Compiled.problems`.

    `now` becomes the creation time of replays. `known` are documents in force whose objects are not
    among `resources`, so that references to them are valid.
    """
    lookup = SecretLookup(secrets, labelled_only=options.labelled_secrets)
    compiler = _Compiler(lookup, options, now, Room(options.most, known))
    compiler.endpoints(resources, known)
    compiler.subscriptions(resources, known)
    compiler.replays(resources)
    compiler.gateways(resources)
    return compiler.result(resources, known)


class _Compiler:
    """Collects what is compiled so far; later kinds refer to earlier ones."""

    def __init__(self, secrets: SecretLookup, options: Options, now: Millis, room: Room) -> None:
        self._room = room
        self._secrets = secrets
        self._options = options
        self._now = now
        self._endpoints: list[EndpointConfig] = []
        self._subscriptions: list[SubscriptionConfig] = []
        self._replays: list[NewReplay] = []
        self._wanted: list[WantedSecret] = []
        self._problems: list[Problem] = []
        self._lacking: set[str] = set()
        self._neighbours = Neighbours(())

    def result(self, resources: Sequence[Resource], known: Sequence[Document]) -> Compiled:
        namespaces = {x.metadata.namespace for x in resources} | {x.namespace for x in known}
        return Compiled(
            endpoints=(*self._endpoints, *builtin_endpoints(sorted(namespaces))),
            subscriptions=tuple(self._subscriptions),
            replays=tuple(self._replays),
            wanted=tuple(self._wanted),
            problems=tuple(self._problems),
            lacking=frozenset(self._lacking),
        )

    def endpoints(self, resources: Sequence[Resource], known: Sequence[Document]) -> None:
        for resource in resources:
            if isinstance(resource, WebhookEndpoint):
                self._endpoints += self._guarded(resource, self._endpoint)
        self._neighbours = Neighbours((*known, *self._endpoints))

    def subscriptions(self, resources: Sequence[Resource], known: Sequence[Document]) -> None:
        for resource in resources:
            if isinstance(resource, WebhookSubscription):
                self._subscriptions += self._guarded(resource, self._subscription)
        self._neighbours = Neighbours((*known, *self._subscriptions))

    def replays(self, resources: Sequence[Resource]) -> None:
        for resource in resources:
            if isinstance(resource, WebhookReplay):
                self._replays += self._guarded(resource, self._replay)

    def gateways(self, resources: Sequence[Resource]) -> None:
        """Notes once that gateways mean nothing where there is one data plane only."""
        about = next((x for x in resources if _mentions_gateway(x)), None)
        if about is None or self._options.gateways:
            return
        problems = Problems(about)
        path = "" if isinstance(about, WebhookGateway) else "spec.gatewayRef"
        problems.note(path, _ONLY_IN_A_CLUSTER)
        self._problems += problems.found

    def _endpoint(self, resource: WebhookEndpoint, problems: Problems) -> EndpointConfig | None:
        with self._keys(resource, problems) as generated:
            return EndpointCompiler(
                resource, self._secrets, self._options, problems, generated
            ).compile()

    def _subscription(
        self, resource: WebhookSubscription, problems: Problems
    ) -> SubscriptionConfig | None:
        with self._keys(resource, problems) as generated:
            return SubscriptionCompiler(
                resource, self._secrets, self._neighbours, self._options, problems, generated
            ).compile()

    def _replay(self, resource: WebhookReplay, problems: Problems) -> NewReplay | None:
        return compile_replay(resource, self._neighbours, self._now, problems)

    @contextmanager
    def _keys(self, resource: Resource, problems: Problems) -> Iterator[GeneratedKeys]:
        generated = GeneratedKeys(
            self._secrets,
            problems,
            uid_of(resource),
            resource.metadata.annotations.get(ROTATE, ""),
        )
        yield generated
        self._wanted += generated.wanted

    def _guarded(self, resource: R, compiled: Callable[[R, Problems], T | None]) -> list[T]:
        """The document of one object, if it gets one. An error that nobody foresaw becomes a
        problem of this object, and the others are compiled."""
        problems = Problems(resource)
        try:
            made = compiled(resource, problems) if self._room.has(resource, problems) else None
        except Exception as error:
            problems.error("", fault.describe(error), Reason.INTERNAL_ERROR)
            made = None
        self._problems += problems.found
        if problems.lacks_secret or problems.not_ready:
            self._lacking.add(uid_of(resource))
        if made is None:
            return []
        self._room.take(resource)
        return [made]


def _mentions_gateway(resource: Resource) -> bool:
    if isinstance(resource, WebhookEndpoint | WebhookSubscription):
        return resource.spec.gateway_ref is not None
    return isinstance(resource, WebhookGateway)
