"""What a compilation changes in the store; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from hookplane.clock import Millis
from hookplane.config.base import Document
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.sealing import Sealer
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow, CursorPlan
from hookplane.units import parse_time

Configured = EndpointConfig | SubscriptionConfig
Sealers = Callable[[ConfigKind], Sealer]
"""Which sealer seals documents of a kind."""


@dataclass(frozen=True, slots=True)
class ConfigDiff:
    """Documents to write and documents whose objects are gone."""

    created: tuple[Configured, ...] = ()
    changed: tuple[Configured, ...] = ()
    deleted: tuple[Configured, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.created or self.changed or self.deleted)

    def of_users(self) -> ConfigDiff:
        """Without the endpoints that every namespace has by itself."""
        return ConfigDiff(_own(self.created), _own(self.changed), _own(self.deleted))

    def rows(self, sealer_of: Sealers) -> ConfigChange:
        """The form that the store takes."""
        written = (*self.created, *self.changed)
        return ConfigChange(
            upserts=tuple(_row(x, sealer_of(kind_of(x))) for x in written),
            deletes=tuple((kind_of(x), x.uid) for x in self.deleted),
            cursors=tuple(_cursors(x) for x in written if isinstance(x, SubscriptionConfig)),
        )


def plan_diff(
    in_force: Mapping[str, Configured],
    compiled: Iterable[Configured],
    doomed: AbstractSet[str],
    trusted: bool,
    stale: AbstractSet[str] = frozenset(),
) -> ConfigDiff:
    """`stale`: uids whose documents are to be written anew though they say the same. `trusted`
    False: some Secret could not be read, so an object that seems to miss one keeps what is in
    force."""
    created, changed = [], []
    for document in compiled:
        old = in_force.get(document.uid)
        if document.uid in doomed or (document == old and document.uid not in stale):
            continue
        if old is None:
            created.append(document)
        elif trusted or old.not_ready or not document.not_ready:
            changed.append(document)
    deleted = tuple(document for uid, document in in_force.items() if uid in doomed)
    return ConfigDiff(tuple(created), tuple(changed), deleted)


def _own(documents: Iterable[Configured]) -> tuple[Configured, ...]:
    return tuple(x for x in documents if not (isinstance(x, EndpointConfig) and x.builtin))


def kind_of(document: Document) -> ConfigKind:
    is_endpoint = isinstance(document, EndpointConfig)
    return ConfigKind.ENDPOINT if is_endpoint else ConfigKind.SUBSCRIPTION


def _row(document: Configured, sealer: Sealer) -> ConfigRow:
    """What Hookplane itself tells a namespace is not among what the namespace keeps."""
    own = isinstance(document, EndpointConfig) and not document.builtin
    namespace = document.namespace if own else ""
    return ConfigRow(kind_of(document), document.uid, document.dump(sealer), namespace=namespace)


def _cursors(document: SubscriptionConfig) -> CursorPlan:
    return CursorPlan(document.uid, document.endpoints, _start(document.start_from))


def _start(text: str) -> str | Millis:
    return text if text in ("Latest", "Earliest") else parse_time(text)
