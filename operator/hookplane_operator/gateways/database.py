"""Brings a gateway's database up to date, opens it and makes it this operator's."""

from __future__ import annotations

from hookplane.clock import Clock
from hookplane.secret import Secret
from hookplane.store.access import StoreAccess
from hookplane.store.drivers import Driver
from hookplane.store.operator_store import WriterFence
from hookplane.store.protocol import SharedStore


async def open_database(
    driver: Driver,
    dsn: Secret,
    migration_dsn: Secret,
    fence: WriterFence,
    clock: Clock,
    *,
    over: str,
) -> SharedStore:
    """Ours from now on. `over`: the owner that it may be taken from. Raises StoreInUse,
    StaleWriter, StoreUnavailable, StoreUnfit, InvalidValue."""
    await driver.migrate(StoreAccess(dsn=migration_dsn, application="hookplane migrate"))
    store = await driver.open(StoreAccess(dsn=dsn, application="hookplane operator"), clock)
    try:
        await store.take_over(fence, over=over)
    except BaseException:
        await store.close()
        raise
    return store
