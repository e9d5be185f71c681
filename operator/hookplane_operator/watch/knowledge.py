"""How old is what we know of the cluster, and why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from hookplane.clock import Clock, Millis
from hookplane.kinds.conditions import Reason
from hookplane.units import format_time
from hookplane_operator.kube.kinds import Resource
from hookplane_operator.metrics import Metrics
from hookplane_operator.state.facts import Informed

OLD_SECONDS: Final = 60.0
"""What is older is told."""
UNWATCHED_SECONDS: Final = 105.0
"""Watches that fail for so long are told: a minute, and the time of one whole watch, because a
quiet one shows only by its end that it works."""
_SHOWN: Final = 3
"""Kinds that a sentence names."""


@dataclass(slots=True, eq=False)
class KnowledgeSource:
    """One kind in one namespace, or in all."""

    resource: Resource
    namespace: str | None
    as_of: float
    """Monotonic seconds. All that there was then is known; before the first list, since when we
    have looked for it."""
    counts: bool = True
    """Whether who does not see it is not informed."""
    as_of_wall: Millis = 0
    """The same for people; 0: nothing is known yet."""
    why: str = ""
    """What failed last; empty: nothing did since."""
    unwatched_since: float | None = None
    """Monotonic seconds since when watches do not work; None: they do. Lists do the work then."""

    @property
    def listed(self) -> bool:
        return self.as_of_wall > 0


class Knowledge:
    """Of one replica."""

    def __init__(
        self, metrics: Metrics, clock: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._monotonic = monotonic
        self._sources: list[KnowledgeSource] = []

    def source(
        self, resource: Resource, namespace: str | None, *, counts: bool = True
    ) -> KnowledgeSource:
        """A new one, which ages from now on."""
        made = KnowledgeSource(resource, namespace, self._monotonic(), counts)
        self._sources.append(made)
        gauge = self._metrics.known_age.labels(resource.kind)
        gauge.set_function(lambda: self.age(resource.kind))
        return made

    def forget(self, source: KnowledgeSource) -> None:
        """It is of no interest any more."""
        self._sources.remove(source)
        if not any(x.resource == source.resource for x in self._sources):
            self._metrics.known_age.remove(source.resource.kind)

    def now(self) -> float:
        """Monotonic seconds, for `learned`."""
        return self._monotonic()

    def learned(self, source: KnowledgeSource, as_of: float | None = None) -> None:
        """Everything that there was at that moment is known; None: now."""
        now = self._monotonic()
        source.as_of = now if as_of is None else as_of
        source.as_of_wall = self._clock.now() - int((now - source.as_of) * 1000)
        if source.unwatched_since is None:
            source.why = ""

    def heard(self, source: KnowledgeSource) -> None:
        """A watch told something, if only that it is over."""
        source.unwatched_since = None
        self.learned(source)

    def failed(self, source: KnowledgeSource, why: str, *, watch: bool) -> None:
        """`watch`: a watch did; else a list, which says nothing of watches."""
        source.why = why
        if not watch:
            source.unwatched_since = None
        elif source.unwatched_since is None:
            source.unwatched_since = self._monotonic()
        self._metrics.watches_interrupted.labels(source.resource.kind).inc()

    def age(self, kind: str) -> float:
        """Seconds, of the oldest that is known of a kind."""
        now = self._monotonic()
        ages = [now - x.as_of for x in self._sources if x.resource.kind == kind]
        return max(ages, default=0.0)

    def has_listed(self, kind: str) -> bool:
        """Whether all that there is of a kind has been known."""
        return all(x.listed for x in self._sources if x.resource.kind == kind)

    @property
    def is_fresh(self) -> bool:
        """Nothing of it is old."""
        return not self._old()

    def judge(self) -> Informed:
        """For the status of gateways; the words stay the same while nothing else happens."""
        if old := self._old():
            return Informed("False", Reason.NOT_INFORMED, _sentence(map(_told, old)))
        if unwatched := [x for x in self._sources if self._is_unwatched(x)]:
            words = _sentence(f"{_name(x)} cannot be watched: {x.why}" for x in unwatched)
            return Informed("True", Reason.LISTING, f"lists every minute do the work: {words}")
        return Informed("True", Reason.WATCHING, "")

    def _is_unwatched(self, source: KnowledgeSource) -> bool:
        since = source.unwatched_since
        return source.counts and since is not None and self._monotonic() - since > UNWATCHED_SECONDS

    def _old(self) -> list[KnowledgeSource]:
        now = self._monotonic()
        return [x for x in self._sources if x.counts and now - x.as_of > OLD_SECONDS]


def _told(source: KnowledgeSource) -> str:
    since = "yet"
    if source.listed:
        since = f"since {format_time(source.as_of_wall // 1000 * 1000)}"
    return f"nothing is known of {_name(source)} {since}: {source.why or 'no answer'}"


def _name(source: KnowledgeSource) -> str:
    place = f" in {source.namespace}" if source.namespace else ""
    return f"{source.resource.plural}{place}"


def _sentence(parts: Iterable[str]) -> str:
    found = list(parts)
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more
