"""Reading the logs for delivery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hookplane.errors import UnknownObject
from hookplane.store.event_log import Content, EventRead, LogBounds, LogEntry
from hookplane.store.event_numbers import SEQUENCE_MASK, event_number, sequence_of
from hookplane.store.postgres.db import Db
from hookplane.store.postgres.id_map import PostgresIdMap
from hookplane.store.postgres.partition_index import PartitionIndex
from hookplane.store.rows import content_of
from hookplane.store.sql import load_statements
from hookplane.store.storable_text import unpack_headers

_SQL: Final = load_statements("hookplane.store.postgres", "queries.sql")
_NO_CONTENTS: Final = -1


async def read_log(
    db: Db, id_map: PostgresIdMap, partitions: PartitionIndex, uid: str, after: int, limit: int
) -> list[LogEntry]:
    """Events behind a sequence, in order. Raises UnknownObject."""
    found = await read_events(db, id_map, partitions, uid, after, limit, _NO_CONTENTS)
    return [entry for entry, _ in found]


async def read_events(
    db: Db,
    id_map: PostgresIdMap,
    partitions: PartitionIndex,
    uid: str,
    after: int,
    limit: int,
    most_bytes: int,
) -> list[EventRead]:
    """Events behind a sequence, in order, with the contents of those whose body has at most so many
    bytes. Raises UnknownObject."""
    await id_map.know(db, endpoints=[uid])
    endpoint = id_map.endpoint(uid)
    first, last = event_number(endpoint, after), event_number(endpoint, SEQUENCE_MASK)
    known = partitions.last(first)
    rows = await db.fetch(_SQL["read_log"], first, last, known.era, limit, known.number, most_bytes)
    for number, era, *_ in (rows[0], rows[-1]) if rows else ():
        partitions.saw(number, era)
    return [
        (LogEntry(uid, number & SEQUENCE_MASK, *entry), content_of(headers, body))
        for number, _, *entry, headers, body in rows
    ]


async def bounds(db: Db, uids: Sequence[str]) -> dict[str, LogBounds]:
    """Where each log begins and ends that is there."""
    rows = await db.fetch(_SQL["find_bounds"], list(uids))
    return {uid: LogBounds(sequence_of(first), sequence_of(head)) for uid, first, head in rows}


async def floor(db: Db, uid: str) -> int:
    """The sequence up to which retention has removed everything. Raises UnknownObject."""
    found: int | None = await db.fetchval(_SQL["find_floor"], uid)
    if found is None:
        raise UnknownObject(f'no endpoint "{uid}"')
    return sequence_of(found)


async def read_contents(
    db: Db, id_map: PostgresIdMap, partitions: PartitionIndex, uid: str, sequences: Sequence[int]
) -> dict[int, Content]:
    """The contents of those of these events that are still there. Raises UnknownObject."""
    await id_map.know(db, endpoints=[uid])
    endpoint = id_map.endpoint(uid)
    wanted = [event_number(endpoint, sequence) for sequence in sequences]
    era = partitions.last(min(wanted, default=0)).era
    rows = await db.fetch(_SQL["read_contents"], endpoint, wanted, era)
    if len(rows) < len(wanted) and era:  # retention took some, or the log went back
        rows = await db.fetch(_SQL["read_contents"], endpoint, wanted, 0)
    return {
        number & SEQUENCE_MASK: Content(unpack_headers(headers), body)
        for number, headers, body in rows
    }
