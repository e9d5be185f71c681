"""What is in force in a gateway's store, as the operator knows it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from pydantic import ValidationError

from hookplane.compile.change import ConfigDiff, Configured
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import SecretUnreadable
from hookplane.sealing import Sealer
from hookplane.store.config_store import ConfigKind, ConfigRow
from hookplane.store.protocol import Store


@dataclass
class Book:
    """Documents by uid, with the version at which each was written."""

    documents: dict[str, Configured] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    newest: int = 0
    """The greatest of these."""
    stale: set[str] = field(default_factory=set)
    """Sealed with an old key: to be written anew though they say the same."""
    taken: int = 0
    """How often something was written."""
    _namespaces: dict[str, dict[str, Configured]] = field(default_factory=dict)

    @classmethod
    async def load(cls, store: Store, sealers: Mapping[ConfigKind, Sealer]) -> Self:
        """All that the store has. Raises StoreUnavailable."""
        _, rows = await store.load_config(0)
        return await asyncio.to_thread(cls._of, rows, sealers)

    @classmethod
    def _of(cls, rows: Iterable[ConfigRow], sealers: Mapping[ConfigKind, Sealer]) -> Self:
        book = cls()
        for row in rows:
            sealer = sealers[row.kind]
            document = _document(row, sealer)
            if document is not None:
                book._put(document, row.version)
                if sealer.is_stale(row.document or b""):
                    book.stale.add(row.uid)
        return book

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

    def take(self, change: ConfigDiff, version: int) -> None:
        """What was just written."""
        self.taken += 1
        for document in (*change.created, *change.changed):
            self._put(document, version)
            self.stale.discard(document.uid)
        for document in change.deleted:
            self.documents.pop(document.uid, None)
            self.versions.pop(document.uid, None)
            self._namespaces.get(document.namespace, {}).pop(document.uid, None)

    def _put(self, document: Configured, version: int) -> None:
        self.documents[document.uid] = document
        self.versions[document.uid] = version
        self.newest = max(self.newest, version)
        self._namespaces.setdefault(document.namespace, {})[document.uid] = document


def _document(row: ConfigRow, sealer: Sealer) -> Configured | None:
    """None: a tombstone, or it cannot be read any more and is written anew."""
    if row.document is None:
        return None
    model = EndpointConfig if row.kind is ConfigKind.ENDPOINT else SubscriptionConfig
    try:
        return model.load(row.uid, row.document, sealer)
    except (ValidationError, SecretUnreadable):
        return None
