"""What a compilation changes in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from hookplane.clock import Millis
from hookplane.config.base import Document
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.sealing import Sealer
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow, CursorPlan
from hookplane.units import parse_time

Configured = EndpointConfig | SubscriptionConfig
SealerOf = Callable[[ConfigKind], Sealer]
"""Gives the sealer for documents of a kind."""


@dataclass(frozen=True, slots=True)
class ConfigDiff:
    """Documents to write, and documents of objects that are gone."""

    created: tuple[Configured, ...] = ()
    changed: tuple[Configured, ...] = ()
    deleted: tuple[Configured, ...] = ()
    places: Mapping[tuple[ConfigKind, str], str] = field(default_factory=dict)
    """Kind and uid of objects → where they live (`ConfigChange.places`)."""
    predecessors: Mapping[str, str] = field(default_factory=dict)
    """Uid of what is created → uid of whom it takes over from."""

    def __bool__(self) -> bool:
        return bool(self.created or self.changed or self.deleted)

    def of_users(self) -> ConfigDiff:
        """The same without built-in endpoints, which no user wrote."""
        return ConfigDiff(_own(self.created), _own(self.changed), _own(self.deleted))

    def rows(self, sealer_of: SealerOf) -> ConfigChange:
        """The change in the form that the store takes, with all secrets sealed."""
        written = (*self.created, *self.changed)
        return ConfigChange(
            upserts=tuple(self._row(x, sealer_of(kind_of(x))) for x in written),
            deletes=tuple((kind_of(x), x.uid) for x in self.deleted),
            cursors=tuple(_cursors(x) for x in written if isinstance(x, SubscriptionConfig)),
            places=tuple((*known, place) for known, place in self.places.items()),
        )

    def _row(self, document: Configured, sealer: Sealer) -> ConfigRow:
        """A built-in endpoint belongs to no namespace, so its events count towards no quota."""
        own = isinstance(document, EndpointConfig) and not document.builtin
        return ConfigRow(
            kind_of(document),
            document.uid,
            document.dump(sealer),
            namespace=document.namespace if own else "",
            predecessor=self.predecessors.get(document.uid, ""),
        )


def plan_diff(
    in_force: Mapping[str, Configured],
    compiled: Iterable[Configured],
    doomed: AbstractSet[str],
    doubtful: AbstractSet[str] = frozenset(),
    stale: AbstractSet[str] = frozenset(),
) -> ConfigDiff:
    """Compares what was compiled with what is in force (uid → document).

    `doomed`: uids of objects that are gone. `stale`: uids of documents that are written again even
    if they did not change, such as after the sealing key changed. `doubtful`: uids of objects that
    lack something which may be in what could not be read; those that work so far stay as they are.
    """
    created, changed = [], []
    for document in compiled:
        old = in_force.get(document.uid)
        if document.uid in doomed or (document == old and document.uid not in stale):
            continue
        if old is None:
            created.append(document)
        elif old.not_ready or document.uid not in doubtful:
            changed.append(document)
    deleted = tuple(document for uid, document in in_force.items() if uid in doomed)
    return ConfigDiff(tuple(created), tuple(changed), deleted)


def kind_of(document: Document) -> ConfigKind:
    """Under which kind the store keeps a document."""
    is_endpoint = isinstance(document, EndpointConfig)
    return ConfigKind.ENDPOINT if is_endpoint else ConfigKind.SUBSCRIPTION


def _own(documents: Iterable[Configured]) -> tuple[Configured, ...]:
    return tuple(x for x in documents if not (isinstance(x, EndpointConfig) and x.builtin))


def _cursors(document: SubscriptionConfig) -> CursorPlan:
    return CursorPlan(document.uid, document.endpoints, _start(document.start_from))


def _start(text: str) -> str | Millis:
    return text if text in ("Latest", "Earliest") else parse_time(text)
