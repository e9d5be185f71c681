"""Opens a gateway's database: newest schema first, then whose it is."""

from __future__ import annotations

from hookplane.clock import Clock
from hookplane.secret import Secret
from hookplane.store.postgres.connection import Connections
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.postgres.migrate import migrate
from hookplane.store.postgres.settings import PostgresSettings
from hookplane.store.postgres.writer_fence import WriterFence


async def bring_up_to_date(dsn: Secret) -> None:
    """Runs the migrations. Raises StoreUnavailable, StoreUnfit, InvalidValue."""
    settings = PostgresSettings(dsn=dsn, application="hookplane migrate")
    db = await Connections(settings).connect("migrate")
    try:
        await migrate(db)
    finally:
        await db.close()


async def open_store(dsn: Secret, tenure: WriterFence, clock: Clock, *, over: str) -> PostgresStore:
    """Ours from now on. Raises StoreInUse, StaleWriter, StoreUnavailable, StoreUnfit,
    InvalidValue."""
    settings = PostgresSettings(dsn=dsn, application="hookplane operator")
    store = await PostgresStore.open(settings, clock)
    try:
        await store.take(tenure, over=over)
    except BaseException:
        await store.close()
        raise
    return store
