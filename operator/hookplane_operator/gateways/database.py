"""Opens a gateway's database and makes it this operator's."""

from __future__ import annotations

from hookplane.clock import Clock
from hookplane.secret import Secret
from hookplane.store.operator_store import WriterFence
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.postgres.settings import PostgresSettings
from hookplane_operator.state.runtime import RuntimeStore


async def open_store(dsn: Secret, fence: WriterFence, clock: Clock, *, over: str) -> RuntimeStore:
    """Ours from now on. Raises StoreInUse, StaleWriter, StoreUnavailable, StoreUnfit,
    InvalidValue."""
    settings = PostgresSettings(dsn=dsn, application="hookplane operator")
    store = await PostgresStore.open(settings, clock)
    try:
        await store.take_over(fence, over=over)
    except BaseException:
        await store.close()
        raise
    return store
