"""What is in force in a store, as the one process knows it that writes its configuration: the
operator for the store of a gateway, `hookplane run` and `hookplane apply` for the manifests of a
folder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Self

from pydantic import ValidationError

from hookplane.compile.change import ConfigDiff, Configured
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import SecretUnreadable
from hookplane.sealing import Sealer
from hookplane.store.config_store import ConfigKind, ConfigRow, ConfigStore

Sealers = Mapping[ConfigKind, Sealer]
"""Kind of document → what seals it. Each opens whatever is sealed in documents of its kind."""


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
        """Uids of documents that were sealed with an old key: to be written again even if they say
        the same."""
        self.writes = 0
        """How often something was written."""

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
        for document in (*change.created, *change.changed):
            self._put(document, version)
            self.stale.discard(document.uid)
        for document in change.deleted:
            self.documents.pop(document.uid, None)
            self.versions.pop(document.uid, None)
            self._namespaces.get(document.namespace, {}).pop(document.uid, None)

    def of_namespace(self, namespace: str) -> Iterable[Configured]:
        return self._namespaces.get(namespace, {}).values()

    def of_users(self) -> Iterator[Configured]:
        """Without the endpoints that every namespace has by itself."""
        return (
            x for x in self.documents.values() if not (isinstance(x, EndpointConfig) and x.builtin)
        )

    def is_current(self, uid: str, generation: int) -> bool:
        """Whether what is in force was made from this generation of an object."""
        document = self.documents.get(uid)
        return document is not None and document.generation == generation

    def _read(self, rows: Iterable[ConfigRow]) -> None:
        for row in rows:
            sealer = self._sealers[row.kind]
            document = _read_document(row, sealer)
            if document is not None:
                self._put(document, row.version)
                if sealer.is_stale(row.document or b""):
                    self.stale.add(row.uid)

    def _put(self, document: Configured, version: int) -> None:
        self.documents[document.uid] = document
        self.versions[document.uid] = version
        self.newest = max(self.newest, version)
        self._namespaces.setdefault(document.namespace, {})[document.uid] = document


def _read_document(row: ConfigRow, sealer: Sealer) -> Configured | None:
    """None: a tombstone, or a document that cannot be read any more and is written again."""
    if row.document is None:
        return None
    model = EndpointConfig if row.kind is ConfigKind.ENDPOINT else SubscriptionConfig
    try:
        return model.load(row.uid, row.document, sealer)
    except (ValidationError, SecretUnreadable):
        return None
