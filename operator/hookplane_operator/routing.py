"""Routes what is seen in the cluster to keys of the queue, and marks what is to be compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Final, NamedTuple

from hookplane.clock import Clock
from hookplane.compile.model import ObjectKey
from hookplane_operator.gateways.reconcile import Gateways
from hookplane_operator.gateways.reserved import reserved
from hookplane_operator.gateways.user_objects import UserObject, UserObjects
from hookplane_operator.kube.kinds import CHILDREN, GATEWAY, NAMESPACE, SECRET, USER_KINDS, Object
from hookplane_operator.kube.names import GATEWAY_LABEL
from hookplane_operator.kube.objects import ObjectChange, Objects, key_of
from hookplane_operator.queue import WorkQueue
from hookplane_operator.referred.polling_cache import Name as ReferredName
from hookplane_operator.referred.polling_cache import PollingCache
from hookplane_operator.referred.secrets import Secrets, found_of, name_of
from hookplane_operator.state.runtime import Name
from hookplane_operator.status.collector import Collector
from hookplane_operator.status.gateway_missing import gateway_missing

RELIST_SECONDS: Final = 3.0
"""From an interrupted watch to the relist: by then the new watch has seen most objects."""


class JobKind(StrEnum):
    """What a key asks for."""

    GATEWAY = "gateway"
    CONFIG = "config"
    SWEEP = "sweep"
    PARTITIONS = "partitions"
    DEFAULT = "default"
    RELIST = "relist"


class Task(NamedTuple):
    """A key of the queue: a job about one gateway, or a relist of one kind."""

    job: JobKind
    name: Name

    def __str__(self) -> str:
        return f"{self.job} {self.name[0]}/{self.name[1]}"


class KeyRouter:
    """Only the leader works on keys, so only the leader makes any from what it sees."""

    def __init__(
        self,
        *,
        objects: Objects,
        user_objects: UserObjects,
        secrets: Secrets,
        gateways: Gateways,
        collector: Collector,
        queue: WorkQueue[Task],
        default: Name,
        clock: Clock,
        leads: Callable[[], bool],
    ) -> None:
        """`default`: the gateway of objects that name none. `leads`: whether this replica does."""
        self._objects = objects
        self._user_objects = user_objects
        self._secrets = secrets
        self._gateways = gateways
        self._collector = collector
        self._queue = queue
        self._default = default
        self._clock = clock
        self._leads = leads

    def all_again(self) -> None:
        """This replica was elected: everything that it knows is worked on."""
        self._queue.enqueue(Task(JobKind.DEFAULT, self._default))
        for body in self._objects.all(GATEWAY.kind):
            key = key_of(GATEWAY.kind, body)
            self._queue.enqueue(Task(JobKind.GATEWAY, (key.namespace, key.name)))
        self.compile_all_again(self._user_objects.all())

    def kinds_doubted(self) -> None:
        """The lists of all kinds are old: what was deleted since is looked for."""
        for kind in (GATEWAY.kind, *(x.kind for x in USER_KINDS)):
            self.watch_interrupted(kind)

    def kind_listed(self, held: frozenset[str]) -> None:
        """All objects of one more kind are known: what waited for it can be compiled. `held`: kinds
        that still wait."""
        for runtime in self._gateways.runtimes.values():
            runtime.hold(held)
            self._queue.enqueue(Task(JobKind.CONFIG, runtime.name))

    def watch_interrupted(self, kind: str) -> None:
        """Its watch was interrupted, so objects that were deleted meanwhile are looked for soon."""
        self._queue.enqueue_later(Task(JobKind.RELIST, ("", kind)), RELIST_SECONDS)

    def object_seen(self, kind: str, type: str | None, body: Object) -> None:  # noqa: A002
        """A watch or a list has it. `type`: of the watch event; None: it was listed."""
        if kind == SECRET.kind:
            found = found_of(body)
            self._secrets.saw(name_of(found), None if type == "DELETED" else found)
            return
        remove = type == "DELETED"
        change = self._objects.remove(kind, body) if remove else self._objects.put(kind, body)
        if change is ObjectChange.NOTHING or not self._leads():
            return
        if kind in CHILDREN:
            self._child_changed(body)
        elif change is not ObjectChange.STATUS:
            self._spec_changed(kind, body)

    def _spec_changed(self, kind: str, body: Object) -> None:
        key = key_of(kind, body)
        if kind == GATEWAY.kind:
            self._queue.enqueue(Task(JobKind.GATEWAY, (key.namespace, key.name)))
            for name in reserved([body]):  # whoever uses one of them may not any more
                self.secret_changed(name)
            if (key.namespace, key.name) == self._default:
                self._queue.enqueue(Task(JobKind.DEFAULT, self._default))
        elif kind == NAMESPACE.kind:
            self.compile_all_again(self._user_objects.all(key.name))
        else:
            self._compile_again(UserObject(key, body))

    def _child_changed(self, body: Object) -> None:
        metadata = body["metadata"]
        gateway = (metadata.get("labels") or {}).get(GATEWAY_LABEL)
        if gateway:
            self._queue.enqueue(Task(JobKind.GATEWAY, (metadata["namespace"], gateway)))

    def _compile_again(self, user_object: UserObject) -> None:
        """It is to be compiled again."""
        name = self._user_objects.gateway(user_object)
        runtime = self._gateways.runtimes.get(name)
        if runtime is None:
            self._report_gateway_missing(user_object, name)
        else:
            runtime.mark_dirty([user_object.key])
            self._queue.enqueue(Task(JobKind.CONFIG, name))

    def compile_all_again(self, user_objects: Iterable[UserObject]) -> None:
        """Those whose gateway works; the others are told that it is missing."""
        for user_object in user_objects:
            self._compile_again(user_object)

    def secret_changed(self, name: ReferredName) -> None:
        """Whatever refers to this Secret is compiled again."""
        self.users_changed(self._secrets, name)

    def users_changed(self, cache: PollingCache[Any], name: ReferredName) -> None:
        """Whatever refers to this Secret or Service is compiled again."""
        for user in cache.users(name):
            if isinstance(user, ObjectKey) and (body := self._objects.get(user)) is not None:
                self._compile_again(UserObject(user, body))

    def _report_gateway_missing(self, user_object: UserObject, gateway: Name) -> None:
        there = self._objects.get(ObjectKey(GATEWAY.kind, *gateway)) is not None
        facts = self._gateways.facts.get(gateway)
        missing = gateway_missing(*user_object, gateway, there, facts, self._clock.now())
        if missing is not None:
            self._collector.report_object(
                user_object.key, missing.result, None, frozenset(), missing.seen
            )
