"""All roles of a store in one. See docs/architecture.md and the conformance suite."""

from __future__ import annotations

from typing import Protocol

from hookplane.store.config_store import ConfigStore
from hookplane.store.delivery_store import DeliveryStore
from hookplane.store.event_log import EventLog
from hookplane.store.maintenance import Maintenance
from hookplane.store.notifications import Notifications
from hookplane.store.operator_store import OperatorStore
from hookplane.store.process_registry import ProcessRegistry
from hookplane.store.queries import Queries


class Store(
    EventLog,
    DeliveryStore,
    ConfigStore,
    ProcessRegistry,
    Queries,
    Maintenance,
    Notifications,
    Protocol,
):
    """Event logs with cursors.

    Every call may raise StoreUnavailable, or StoreReplaced when the data is not what it was before:
    whoever holds anything in memory of it must start over. Wake-ups are hints: a listener that
    sleeps through one finds the change by polling.
    """

    async def close(self) -> None:
        """Finishes what is queued, then lets go of the store."""


class SharedStore(Store, OperatorStore, Protocol):
    """A store that the processes of a gateway share, with what the operator asks of it besides."""
