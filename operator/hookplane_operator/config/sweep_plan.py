"""What a sweep is to remove; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from hookplane.compile.change import Configured
from hookplane.compile.model import ObjectKey
from hookplane.config.endpoint import EndpointConfig
from hookplane_operator.config.confirmations import Confirmations
from hookplane_operator.config.deletion_guard import Loss, implausible
from hookplane_operator.kube.kinds import ENDPOINT, SUBSCRIPTION
from hookplane_operator.kube.names import CONFIRM_ALL
from hookplane_operator.settings import Scope

_NOTHING: Final = Confirmations()


@dataclass(slots=True)
class ListedObjects:
    """What full lists of all users' kinds found."""

    uids: set[str] = field(default_factory=set)
    keys: set[ObjectKey] = field(default_factory=set)
    missed: set[str] = field(default_factory=set)
    """Namespaces that could not be listed: of what is not found there nothing follows."""

    def add(self, uid: str, key: ObjectKey) -> None:
        self.uids.add(uid)
        self.keys.add(key)

    @property
    def namespaces(self) -> set[str]:
        """In which there is anything."""
        return {key.namespace for key in self.keys}


@dataclass(frozen=True, slots=True)
class GoneObjects:
    """What is in force without an object."""

    replaced: tuple[Configured, ...]
    """Something has its name now, so it is no loss, however often it was made again."""
    lost: tuple[Configured, ...]

    @classmethod
    def of(cls, documents: Iterable[Configured], listed: ListedObjects) -> GoneObjects:
        gone = [x for x in documents if not builtin(x) and x.uid not in listed.uids]
        return cls(
            tuple(x for x in gone if key_of_document(x) in listed.keys),
            tuple(x for x in gone if key_of_document(x) not in listed.keys),
        )


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """What is to go, and what would go if somebody confirmed it."""

    doomed: tuple[Configured, ...] = ()
    doubted: tuple[ObjectKey, ...] = ()
    """Those of them that nobody was seen deleting, and that nobody confirmed."""
    held: Mapping[str, int] = field(default_factory=dict)
    """Namespace → how many of its objects wait."""


def plan_sweep(
    documents: Iterable[Configured],
    listed: ListedObjects,
    new: AbstractSet[str],
    scope: Scope,
    meant: Callable[[Configured], bool] = lambda _: False,
    confirmed: Confirmations = _NOTHING,
    recent: AbstractSet[ObjectKey] = frozenset(),
) -> SweepPlan:
    """`new`: namespaces in which there is something, besides those that were listed. `meant`:
    whether somebody was seen deleting what is lost, or its namespace. `recent`: what went a short
    while ago without that."""
    own = [x for x in documents if scope.holds(x.namespace)]
    gone = GoneObjects.of(own, listed)
    known = [x for x in gone.lost if meant(x)]
    unseen = [x for x in gone.lost if x.namespace not in listed.missed and not meant(x)]
    losses = _losses(own, gone, unseen, recent - listed.keys)
    allowed = _allowed(losses, confirmed)
    waiting = implausible({name: x for name, x in losses.items() if name not in allowed})
    passed = [x for x in unseen if x.namespace not in waiting]
    idle = _idle(own, listed, new, waiting)
    return SweepPlan(
        doomed=(*gone.replaced, *known, *passed, *idle),
        doubted=tuple(key_of_document(x) for x in passed if x.namespace not in allowed),
        held={name: losses[name].now for name in sorted(waiting)},
    )


def _losses(
    own: Iterable[Configured],
    gone: GoneObjects,
    unseen: Iterable[Configured],
    recent: Iterable[ObjectKey],
) -> dict[str, Loss]:
    """Of each namespace that has anything."""
    away = {x.uid for x in (*gone.replaced, *gone.lost)}
    there = Counter(x.namespace for x in own if not builtin(x) and x.uid not in away)
    now = Counter(x.namespace for x in unseen)
    lately = Counter(x.namespace for x in {*map(key_of_document, unseen), *recent})
    return {
        name: Loss(now[name], lately[name], there[name] + lately[name])
        for name in there.keys() | lately.keys()
    }


def _allowed(losses: Mapping[str, Loss], confirmed: Confirmations) -> AbstractSet[str]:
    """Namespaces whose losses somebody has confirmed."""
    if confirmed.allow(CONFIRM_ALL, sum(x.now for x in losses.values())):
        return losses.keys()
    return {name for name, x in losses.items() if confirmed.allow(name, x.now)}


def _idle(
    own: Iterable[Configured],
    listed: ListedObjects,
    new: AbstractSet[str],
    waiting: AbstractSet[str],
) -> list[Configured]:
    """Endpoints that namespaces had by themselves and that have nothing left."""
    needed = listed.namespaces | listed.missed | new | waiting
    return [x for x in own if builtin(x) and x.namespace not in needed]


def builtin(document: Configured) -> bool:
    """Whether it needs no object."""
    return isinstance(document, EndpointConfig) and document.builtin


def key_of_document(document: Configured) -> ObjectKey:
    """Of its object."""
    kind = ENDPOINT if isinstance(document, EndpointConfig) else SUBSCRIPTION
    return ObjectKey(kind.kind, document.namespace, document.name)
