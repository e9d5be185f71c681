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
from hookplane_operator.kube.kinds import (
    BOUNDS,
    CHILDREN,
    ENDPOINT,
    GATEWAY,
    NAMESPACE,
    OURS,
    SECRET,
    SUBSCRIPTION,
    Object,
)
from hookplane_operator.kube.names import GATEWAY_LABEL
from hookplane_operator.kube.objects import DELETED, GONE, ObjectChange, Objects, key_of, uid_of
from hookplane_operator.queue import WorkQueue
from hookplane_operator.referred.polling_cache import Name as ReferredName
from hookplane_operator.referred.polling_cache import PollingCache
from hookplane_operator.referred.secrets import Secrets, found_of, name_of
from hookplane_operator.state.runtime import Name
from hookplane_operator.state.seen_deletions import SeenDeletions
from hookplane_operator.status.collector import Collector
from hookplane_operator.status.gateway_missing import gateway_missing

_BOUNDS: Final = frozenset(x.kind for x in BOUNDS)
_SWEPT: Final = frozenset({ENDPOINT.kind, SUBSCRIPTION.kind})
"""Kinds of what is in force until a sweep removes it."""


class JobKind(StrEnum):
    """What a key asks for."""

    GATEWAY = "gateway"
    CONFIG = "config"
    SWEEP = "sweep"
    PARTITIONS = "partitions"
    DEFAULT = "default"


class Task(NamedTuple):
    """A key of the queue: a job about one gateway."""

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
        deletions: SeenDeletions,
        user_objects: UserObjects,
        secrets: Secrets,
        gateways: Gateways,
        collector: Collector,
        queue: WorkQueue[Task],
        default: Name,
        clock: Clock,
        leads: Callable[[], bool],
        is_writing: Callable[[ObjectKey], bool],
    ) -> None:
        """`default`: the gateway of objects that name none. `leads`: whether this replica does.
        `is_writing`: whether a change of a status may be our own."""
        self._objects = objects
        self._deletions = deletions
        self._user_objects = user_objects
        self._secrets = secrets
        self._gateways = gateways
        self._collector = collector
        self._queue = queue
        self._default = default
        self._clock = clock
        self._leads = leads
        self._is_writing = is_writing

    def all_again(self) -> None:
        """This replica was elected: everything that it knows is worked on."""
        self._queue.enqueue(Task(JobKind.DEFAULT, self._default))
        for body in self._objects.all(GATEWAY.kind):
            key = key_of(GATEWAY.kind, body)
            self._queue.enqueue(Task(JobKind.GATEWAY, (key.namespace, key.name)))
        self.compile_all_again(self._user_objects.all())

    def kind_listed(self, held: frozenset[str]) -> None:
        """All objects of one more kind are known: what waited for it can be compiled. `held`: kinds
        that still wait."""
        for runtime in self._gateways.runtimes.values():
            runtime.hold(held)
            self._queue.enqueue(Task(JobKind.CONFIG, runtime.name))

    def object_seen(self, kind: str, type: str | None, body: Object) -> None:  # noqa: A002
        """A watch or a list has it. `type`: of the watch event; None: it was listed."""
        if kind == SECRET.kind:
            found = found_of(body)
            self._secrets.saw(name_of(found), None if type in GONE else found)
            return
        if kind in _BOUNDS:
            self._bounds_changed(body["metadata"]["namespace"])
            return
        before = self._objects.get(key_of(kind, body))
        change = self._taken(kind, type, body)
        if change is ObjectChange.NOTHING or not self._leads():
            return
        if kind in CHILDREN:
            self._child_changed(_whole(before, change, body))
        elif change is not ObjectChange.STATUS:
            self._spec_changed(kind, _whole(before, change, body))
        elif kind in OURS:
            self._status_changed(kind, body)

    def object_answered(self, kind: str, body: Object) -> None:
        """A write of a status was answered so. What the owner changed meanwhile is in it, and a
        watch that tells of it later tells nothing new."""
        if self._objects.answered(kind, body) is ObjectChange.MEANT and self._leads():
            self._spec_changed(kind, body)

    def _taken(self, kind: str, type: str | None, body: Object) -> ObjectChange:  # noqa: A002
        if kind in _SWEPT:
            self._note_life(type, body)
        if type is None:
            return self._objects.put(kind, body)
        if type in GONE:
            return self._objects.remove(kind, body)
        return self._objects.follow(kind, body)

    def _note_life(self, type: str | None, body: Object) -> None:  # noqa: A002
        if type == DELETED:
            self._deletions.saw(uid_of(body))
        elif type not in GONE:
            self._deletions.lives(uid_of(body))

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
            self._sweep_again(key.name)
        else:
            self._compile_again(UserObject(key, body))

    def _status_changed(self, kind: str, body: Object) -> None:
        """Somebody else wrote it: what is so is told again."""
        key = key_of(kind, body)
        if self._is_writing(key):
            return
        own = UserObject(key, body)
        is_gateway = kind == GATEWAY.kind
        name = (key.namespace, key.name) if is_gateway else self._user_objects.gateway(own)
        if (runtime := self._gateways.runtimes.get(name)) is not None:
            runtime.doubt_status(key)
        elif is_gateway:
            self._queue.enqueue(Task(JobKind.GATEWAY, name))
        else:
            self._report_gateway_missing(own, name)

    def _child_changed(self, body: Object) -> None:
        metadata = body["metadata"]
        gateway = (metadata.get("labels") or {}).get(GATEWAY_LABEL)
        if gateway:
            self._queue.enqueue(Task(JobKind.GATEWAY, (metadata["namespace"], gateway)))

    def _bounds_changed(self, namespace: str) -> None:
        """What a quota or a limit refused may be allowed now."""
        for name in list(self._gateways.facts):
            if name[0] == namespace and self._gateways.retry(name):
                self._queue.enqueue(Task(JobKind.GATEWAY, name))

    def _sweep_again(self, namespace: str) -> None:
        """What was held in it may have gone with it."""
        for name, runtime in self._gateways.runtimes.items():
            if namespace in runtime.held.namespaces:
                self._queue.enqueue(Task(JobKind.SWEEP, name))

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


def _whole(before: Object | None, change: ObjectChange, body: Object) -> Object:
    """What is gone as it was: a list that does not have it any more tells but its name."""
    return before if before is not None and change is ObjectChange.GONE else body
