"""What the errors of PostgreSQL and of the way there mean for the callers of the store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg
from asyncpg import exceptions as pg

from hookplane.errors import HookplaneError, RejectedEvent, StoreUnavailable, StoreUnfit

_DATA: Final = (pg.DataError, pg.NotNullViolationError, asyncpg.DataError, OverflowError)
"""A value that cannot be stored, found by the server or on the way to it. (A check that fails is
one as well, but a missing partition has the same class: see `_is_data`.)"""
_UNFIT: Final = (
    pg.InvalidAuthorizationSpecificationError,
    pg.InvalidCatalogNameError,
    pg.InsufficientPrivilegeError,
    pg.UndefinedTableError,
    pg.UndefinedFunctionError,
    pg.UndefinedColumnError,
    pg.InvalidSchemaNameError,
)
"""Somebody has to change something before it can work."""
_LOST: Final = (
    OSError,
    EOFError,
    TimeoutError,
    asyncio.TimeoutError,
    pg.PostgresConnectionError,
    pg.OperatorInterventionError,  # shut down, starting, cancelled by a time limit
    pg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that broke in the middle of something
)


class LockTimeout(StoreUnavailable):
    """Somebody else holds a lock, and was waited for long enough."""


class MissingPartition(StoreUnavailable):
    """Nobody has made the partition of this era yet."""


@contextmanager
def translated() -> Iterator[None]:
    """Raises StoreUnavailable, StoreUnfit or RejectedEvent in place of what the driver raises. The
    messages name no content of events and no secret."""
    try:
        yield
    except HookplaneError:
        raise
    except (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        OSError,
        EOFError,
        TimeoutError,
        OverflowError,
    ) as error:
        raise _meaning(error) from error


def is_unknown(error: BaseException) -> bool:
    """Whether the connection was lost, so that what was being committed may be on the disk."""
    cause = error.__cause__ if isinstance(error, StoreUnavailable) else error
    return isinstance(cause, _LOST) and not isinstance(cause, pg.QueryCanceledError)


def _meaning(error: BaseException) -> HookplaneError:
    if "unsupported startup parameter" in str(error):
        return StoreUnfit(
            "something between us and PostgreSQL refuses our settings; it looks like PgBouncer, "
            "and LISTEN and prepared statements do not work through one: name the server itself"
        )
    if _is_data(error):
        return RejectedEvent(f"cannot be stored: {type(error).__name__}")
    if isinstance(error, pg.CheckViolationError):
        return MissingPartition(f"the store cannot do this now: {_short(error)}")
    if isinstance(error, pg.LockNotAvailableError):
        return LockTimeout(f"the store cannot do this now: {_short(error)}")
    if isinstance(error, _UNFIT):
        return StoreUnfit(f"PostgreSQL: {error}")
    return StoreUnavailable(f"the store cannot do this now: {_short(error)}")


def _is_data(error: BaseException) -> bool:
    if isinstance(error, pg.CheckViolationError):
        return bool(error.constraint_name)
    return isinstance(error, _DATA)


def _short(error: BaseException) -> str:
    first = (str(error).splitlines() or [""])[0]
    return first or type(error).__name__
