"""Follows the config in the store: loads all of it, and from then on whatever is newer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final, Protocol

from pydantic import ValidationError

from hookplane import fault
from hookplane.config.base import Document
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import InvalidValue, SecretUnreadable, StoreUnavailable
from hookplane.pacing.waiting import Waker
from hookplane.sealing import NoKeys, Opener
from hookplane.store.config_store import ConfigKind, ConfigRow, ConfigStore
from hookplane.store.notifications import Notifications, Topic

POLL_SECONDS: Final = 1.0
"""How long a change may go unnoticed when its notification was lost."""

BREATH: Final = 50
"""After so many documents others have a turn; reading that many takes some milliseconds."""

_MODELS: Final[dict[ConfigKind, type[Document]]] = {
    ConfigKind.ENDPOINT: EndpointConfig,
    ConfigKind.SUBSCRIPTION: SubscriptionConfig,
}

Apply = Callable[[ConfigKind, str, Document | None], None]
"""Puts a new document in force; None: the object with this uid is gone. Raises InvalidValue when
the document cannot be used; what was in force must then stay in force."""


class FollowedStore(ConfigStore, Notifications, Protocol):
    """What following needs of a store."""


class ConfigFollower:
    """Hands every new config row to `apply`; a bad document never replaces a good one."""

    def __init__(
        self,
        store: FollowedStore,
        opener: Opener,
        apply: Apply,
        on_version: Callable[[], None] = lambda: None,
        kinds: Collection[ConfigKind] = tuple(ConfigKind),
        without_secrets: Collection[ConfigKind] = (),
    ) -> None:
        """`on_version` is called when a newer version is in force. `kinds`: the kinds that this
        process needs; rows of others are ignored, so it need not be able to open their secrets.
        `without_secrets`: those of which it needs all but the secrets, which are read as empty."""
        self._kinds = kinds
        self._on_version = on_version
        self._store = store
        self._opener = opener
        self._without_secrets = frozenset(without_secrets)
        self._apply = apply
        self._waker = Waker()
        self.version = 0
        """The version that is in force here."""
        self.refused: dict[str, str] = {}
        """Uid → why its newest document is not in force."""

    async def load(self) -> None:
        """Puts all rows in force that are newer than `version`. Raises StoreUnavailable."""
        version, rows = await self._store.load_config(self.version)
        for number, row in enumerate(x for x in rows if x.kind in self._kinds):
            if number % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            self._put_in_force(row)
        if version != self.version:
            self.version = version
            self._on_version()

    async def run(self) -> None:
        """Follows until cancelled, also through times in which the store is unavailable."""
        stop = self._store.listen(Topic.CONFIG, lambda _: self._waker.wake())
        try:
            while True:
                await self._waker.wait_until_woken(POLL_SECONDS)
                try:
                    await self.load()
                except StoreUnavailable:
                    continue
        finally:
            stop()

    def _put_in_force(self, row: ConfigRow) -> None:
        try:
            self._apply(row.kind, row.uid, self._read(row))
        except (ValidationError, SecretUnreadable, InvalidValue) as error:
            self.refused[row.uid] = str(error)
        except Exception as error:  # other documents must not wait for this one
            self.refused[row.uid] = fault.describe(error)
        else:
            self.refused.pop(row.uid, None)

    def _read(self, row: ConfigRow) -> Document | None:
        if row.document is None:
            return None
        opener = NoKeys() if row.kind in self._without_secrets else self._opener
        return _MODELS[row.kind].load(row.uid, row.document, opener)
