"""Whose database this is, and who may write its configuration now."""

from __future__ import annotations

from typing import Final

from hookplane.errors import StaleWriter, StoreInUse
from hookplane.store.operator_store import WriterFence
from hookplane.store.postgres.db import Db
from hookplane.store.sql import load_statements

_SQL: Final = load_statements("hookplane.store.postgres", "writer_fence.sql")


async def take_over(db: Db, fence: WriterFence, *, over: str = "") -> None:
    """Makes the database this owner's from this term on; `over`: an owner that it may be taken
    from. Raises StoreInUse, StaleWriter."""
    async with db.transaction():
        owner, term, holder = await db.fetchrow(_SQL["lock"])  # type: ignore[misc]
        if owner not in ("", fence.owner, over):
            raise StoreInUse(owner)
        if WriterFence(owner, term, holder) == fence:
            return
        if owner == fence.owner and term >= fence.term:
            raise StaleWriter(term, holder)
        await db.execute(_SQL["take"], fence.owner, fence.term, fence.holder)


async def check_fence(db: Db, fence: WriterFence | None) -> None:
    """Within the transaction that writes. Raises StoreInUse, StaleWriter."""
    if fence is None:
        return
    owner, term, holder = await db.fetchrow(_SQL["lock"])  # type: ignore[misc]
    if owner != fence.owner:
        raise StoreInUse(owner)
    if (term, holder) != (fence.term, fence.holder):
        raise StaleWriter(term, holder)
