"""The drivers of stores that several processes share: which there are, and which one a DSN is for.

This is the one place that knows them. The CLI finds a driver by the scheme of the DSN that it was
given, the operator by the name of the field in `spec.store` of a gateway. The store of
`hookplane run` is not among them: it is a folder of one process, which no DSN names.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from hookplane.clock import Clock
from hookplane.errors import InvalidValue
from hookplane.secret import Secret
from hookplane.store.access import StoreAccess
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.postgres.dsn import readable_dsn
from hookplane.store.postgres.migrate import bring_up_to_date
from hookplane.store.protocol import SharedStore


@dataclass(frozen=True, slots=True)
class Driver:
    """One kind of database."""

    schemes: tuple[str, ...]
    """What its DSNs begin with, before `://`."""
    example: str
    """A DSN, for messages."""
    readable: Callable[[Secret], str]
    """The text of a DSN. Raises InvalidValue, whose message has nothing of it."""
    open: Callable[[StoreAccess, Clock], Awaitable[SharedStore]]
    """Raises StoreUnavailable, StoreUnfit, InvalidValue."""
    migrate: Callable[[StoreAccess], Awaitable[tuple[int, int]]]
    """Brings the schema up to date; its version before and after. Raises as `open` does."""


DRIVERS: Final[Mapping[str, Driver]] = {
    "postgresql": Driver(
        schemes=("postgresql", "postgres"),
        example="postgresql://user@host:5432/database",
        readable=readable_dsn,
        open=PostgresStore.open,
        migrate=bring_up_to_date,
    ),
}
"""By the name that `spec.store` of a gateway has for it."""


def driver_of(dsn: str) -> Driver:
    """The driver that a DSN is for and that can read it. Raises InvalidValue, whose message never
    shows the DSN: a password may be in it."""
    scheme, separator, _ = dsn.partition("://")
    for driver in DRIVERS.values():
        if separator and scheme in driver.schemes:
            driver.readable(Secret(dsn))
            return driver
    examples = " or ".join(driver.example for driver in DRIVERS.values())
    raise InvalidValue(f"it is a URL such as {examples}")
