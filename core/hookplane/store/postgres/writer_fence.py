"""Whose database this is, and who may write its configuration now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hookplane.errors import StaleWriter, StoreInUse
from hookplane.store.sql import load_statements

if TYPE_CHECKING:
    from hookplane.store.postgres.connection import Db

_SQL: Final = load_statements("hookplane.store.postgres", "tenure.sql")


@dataclass(frozen=True, slots=True)
class WriterFence:
    """A writer of configuration."""

    owner: str
    """The gateway, as cluster/namespace/name."""
    term: int
    """Grows from leader to leader."""


async def take(db: Db, tenure: WriterFence, *, over: str = "") -> None:
    """Makes the database this owner's from this term on; `over`: an owner that it may be taken
    from. Raises StoreInUse, StaleWriter."""
    async with db.transaction():
        owner, term = await db.fetchrow(_SQL["lock"])  # type: ignore[misc]
        if owner not in ("", tenure.owner, over):
            raise StoreInUse(owner)
        if owner == tenure.owner and term > tenure.term:
            raise StaleWriter(f"term {tenure.term} has passed; now it is {term}")
        if (owner, term) != (tenure.owner, tenure.term):
            await db.execute(_SQL["take"], tenure.owner, tenure.term)


async def check(db: Db, tenure: WriterFence | None) -> None:
    """Within the transaction that writes. Raises StoreInUse, StaleWriter."""
    if tenure is None:
        return
    owner, term = await db.fetchrow(_SQL["lock"])  # type: ignore[misc]
    if owner != tenure.owner:
        raise StoreInUse(owner)
    if term != tenure.term:
        raise StaleWriter(f"term {tenure.term} has passed; now it is {term}")
