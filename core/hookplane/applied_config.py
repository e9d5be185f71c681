"""What is in force in a store, as the one process knows it that writes its configuration: the
operator for the store of a gateway, `hookplane run` and `hookplane apply` for the manifests of a
folder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, Self

import orjson
from pydantic import ValidationError

from hookplane.compile.change import ConfigDiff, Configured
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import InvalidValue, SecretUnreadable
from hookplane.sealing import NoKeys, Opener, Sealer
from hookplane.store.config_store import ConfigKind, ConfigRow, ConfigStore

Sealers = Mapping[ConfigKind, Sealer]
"""Kind of document → what seals it. Each opens whatever is sealed in documents of its kind."""
KEYS_LOST: Final = "it was sealed with a key that is lost"
"""Why a document is not ready whose secrets nobody can read any more."""
OTHER_VERSION: Final = "another version of Hookplane wrote it"
"""Why a document is not ready that has fields which this version does not know."""
_MODELS: Final[Mapping[ConfigKind, type[EndpointConfig | SubscriptionConfig]]] = {
    ConfigKind.ENDPOINT: EndpointConfig,
    ConfigKind.SUBSCRIPTION: SubscriptionConfig,
}
_ALWAYS_SAID: Final = {
    ConfigKind.ENDPOINT: ("namespace", "name", "path", "labels", "provider", "builtin"),
    ConfigKind.SUBSCRIPTION: ("namespace", "name", "endpoints"),
}
"""Fields by which an object is known, whatever version wrote it."""
_FILLED: Final[Mapping[ConfigKind, Mapping[str, Any]]] = {
    ConfigKind.ENDPOINT: {"event_type": {}},
    ConfigKind.SUBSCRIPTION: {"retry": {"schedule": ()}},
}
"""Fields that must be there, and count for nothing as long as a document is not ready."""


class AppliedConfig:
    """Documents by uid, with the version at which each was written. Changes are written through it,
    so it always says what the store has."""

    def __init__(self, store: ConfigStore, sealers: Sealers) -> None:
        """Of a store that is empty; `load` for any other."""
        self._store = store
        self._sealers = sealers
        self._namespaces: dict[str, dict[str, Configured]] = {}
        self.documents: dict[str, Configured] = {}
        self.versions: dict[str, int] = {}
        self.newest = 0
        """The greatest of these."""
        self.stale: set[str] = set()
        """Uids of documents that were sealed with an old key or for their object only, or cannot be
        read whole: to be written again even if they say the same."""
        self.lost: set[str] = set()
        """Uids of those of them that no key opens: all is known of them but their secrets. So they
        are not ready here, and written again as soon as they are compiled."""
        self.writes = 0
        """How often something was written."""
        self.places: dict[str, str] = {}
        """Uid of what is in force → where it lives (`ConfigRow.place`), as far as that is known."""
        self._last_at: dict[tuple[ConfigKind, str], str] = {}
        """Kind and place → uid of who lives there or did so last."""

    @classmethod
    async def load(cls, store: ConfigStore, sealers: Sealers) -> Self:
        """All that the store has. Raises StoreUnavailable."""
        _, rows = await store.load_config(0)
        applied = cls(store, sealers)
        await asyncio.to_thread(applied._read, rows)
        return applied

    async def write(self, change: ConfigDiff) -> None:
        """Writes a change in one transaction. Raises StoreUnavailable; then nothing is known to be
        written."""
        version = await self._store.apply_config(change.rows(self._sealers.__getitem__))
        self.writes += 1
        for uid in (*(x.uid for x in change.deleted), *change.predecessors.values()):
            self._drop(uid)
        for document in (*change.created, *change.changed):
            self._put(document, version)
            self._count_as_fresh(document.uid)
        for (kind, uid), place in change.places.items():
            self.places[uid] = place
            self._last_at[kind, place] = uid

    def of_namespace(self, namespace: str) -> Iterable[Configured]:
        return self._namespaces.get(namespace, {}).values()

    def of_users(self) -> Iterator[Configured]:
        """Without the endpoints that every namespace has by itself."""
        return (
            x for x in self.documents.values() if not (isinstance(x, EndpointConfig) and x.builtin)
        )

    def predecessor(self, kind: ConfigKind, place: str, uid: str) -> str:
        """Uid of whom an object takes over from that comes to a place; empty: it is there already,
        or nobody else was. Tombstones tell it for a day at least."""
        if uid in self.documents or not place:
            return ""
        last = self._last_at.get((kind, place), "")
        return "" if last == uid else last

    def is_current(self, uid: str, generation: int) -> bool:
        """Whether what is in force was made from this generation of an object."""
        document = self.documents.get(uid)
        return document is not None and document.generation == generation

    def _read(self, rows: Iterable[ConfigRow]) -> None:
        for row in sorted(rows, key=lambda row: row.document is not None):  # who lives comes last
            sealer = self._sealers[row.kind]
            self._last_at[row.kind, row.place] = row.uid
            document = self._read_document(row, sealer)
            if document is not None:
                self._put(document, row.version)
                self.places[row.uid] = row.place
                if sealer.is_stale(row.document or b""):
                    self.stale.add(row.uid)

    def _read_document(self, row: ConfigRow, sealer: Sealer) -> Configured | None:
        """None: a tombstone. What cannot be read whole is known as far as it can be, not ready, and
        written again."""
        if row.document is None:
            return None
        opener = _PlaceWitness(sealer)
        try:
            document = _parse(row, row.document, opener)
        except SecretUnreadable:
            self.lost.add(row.uid)
        except (ValidationError, InvalidValue):
            pass
        else:
            if opener.found_unbound:
                self.stale.add(row.uid)
            return document
        self.stale.add(row.uid)
        reason = KEYS_LOST if row.uid in self.lost else OTHER_VERSION
        rest = _without_secrets(row, row.document)
        return rest and rest.model_copy(update={"not_ready": reason})

    def _count_as_fresh(self, uid: str) -> None:
        self.stale.discard(uid)
        self.lost.discard(uid)

    def _drop(self, uid: str) -> None:
        document = self.documents.pop(uid, None)
        self._count_as_fresh(uid)
        self.versions.pop(uid, None)
        self.places.pop(uid, None)
        if document is not None:
            self._namespaces.get(document.namespace, {}).pop(uid, None)

    def _put(self, document: Configured, version: int) -> None:
        self.documents[document.uid] = document
        self.versions[document.uid] = version
        self.newest = max(self.newest, version)
        self._namespaces.setdefault(document.namespace, {})[document.uid] = document


class _PlaceWitness:
    """Opens what it is given, and notes whether something was sealed for its object only."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self.found_unbound = False

    def open(self, text: str, aad: str) -> bytes:
        return self._opener.open(text, aad)

    def check_place(self, text: str, plain: bytes, aad: str, place: bytes) -> bool:
        is_bound = self._opener.check_place(text, plain, aad, place)
        self.found_unbound |= not is_bound
        return is_bound


def _parse(row: ConfigRow, document: bytes, opener: Opener) -> Configured:
    """Raises SecretUnreadable, ValidationError for one of another form, and InvalidValue for one
    that says that it is another object's."""
    return _MODELS[row.kind].load(row.uid, document, opener)


def _without_secrets(row: ConfigRow, document: bytes) -> Configured | None:
    """All else, or what every version says. None: nothing can be made of it."""
    with suppress(ValidationError, InvalidValue):
        return _parse(row, document, NoKeys())
    try:
        found = orjson.loads(document)
        said = {x: found[x] for x in _ALWAYS_SAID[row.kind] if x in found}
        known = {"uid": row.uid, "generation": 0, **_FILLED[row.kind], **said}
        return _MODELS[row.kind].model_validate(known)
    except (ValueError, TypeError):
        return None
