"""Processes of earlier versions, which go on while those of this version start."""

from __future__ import annotations

from typing import Final

from hookplane.clock import Millis
from hookplane.store.postgres.db import Db

_APPEND: Final = """
select original from append_3(array['e'], array[$1], array[$2::bigint], array['t'],
  array['[]'::bytea], array[''::bytea], array[$3::bytea], array[$4::bytea], array[$5::bigint],
  array[null::bytea])
"""
_APPEND_BEFORE_ERAS: Final = """
select * from append_2(array['e'], array[$1], array[$2::bigint], array['t'], array['[]'::bytea],
  array[''::bytea], array[null::bytea], array[null::bytea], array[0::bigint], array[null::bytea])
"""

_APPEND_BEFORE_KEYS: Final = _APPEND_BEFORE_ERAS.replace("append_2", "append_4")


_HOLD: Final = """
insert into delivery (
  subscription, event, event_id, type, state, attempts, due, deadline, status_code, error, replay,
  changed_at
)
select
  s.subscription, (e.endpoint::bigint << 40) + $1, 'evt', 't', 'retrying', 1, 0, 0, 500, '', '', 0
from subscription s, endpoint e where s.uid = 's' and e.uid = 'e'
"""


async def append(
    db: Db, event: str, received: Millis, key: bytes, fingerprint: bytes, until: Millis
) -> str | None:
    """Of the version before, to the log of `e`. The id of the original of a repeat."""
    rows = await db.fetch(_APPEND, event, received, key, fingerprint, until)
    return rows[0][0] if rows else None


async def append_before_eras(db: Db, event: str, received: Millis) -> None:
    """Of the versions that knew no far eras (schema 15 at most), to the log of `e`."""
    await db.execute(_APPEND_BEFORE_ERAS, event, received)


async def append_before_keys(db: Db, event: str, received: Millis) -> None:
    """Of the versions whose events had no keys (schema 18 at most), to the log of `e`."""
    await db.execute(_APPEND_BEFORE_KEYS, event, received)


async def hold(db: Db, sequence: int) -> None:
    """Of the versions whose deliveries had no keys (schema 19 at most), to `s` from `e`."""
    await db.execute(_HOLD, sequence)
