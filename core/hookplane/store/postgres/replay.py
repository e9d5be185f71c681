"""Replay jobs: a list of ranges in the logs, fixed at creation, and a position in it."""

from __future__ import annotations

from typing import Final

from hookplane.clock import Millis
from hookplane.errors import UnknownObject
from hookplane.store.delivery_store import NewReplay, ReplayJob, ReplayPage, ReplayPhase
from hookplane.store.listings import candidates
from hookplane.store.postgres.db import Db
from hookplane.store.postgres.id_map import PostgresIdMap
from hookplane.store.postgres.stepwise import answered
from hookplane.store.rows import bounds_of, job_of, replay_page_of, states_of
from hookplane.store.sql import load_statements

_SQL: Final = load_statements("hookplane.store.postgres", "replay.sql")


async def create_replay(db: Db, replay: NewReplay) -> ReplayJob:
    """Creates the job unless it is there. Raises UnknownObject for its subscription."""
    async with db.transaction():
        created = await db.fetchrow(
            _SQL["insert_replay"],
            replay.uid,
            replay.namespace,
            replay.name,
            replay.subscription,
            replay.created,
            *bounds_of(replay),
            states_of(replay),
        )
        if created is not None:
            await _fix_ranges(db, replay, *created)
        row = await db.fetchrow(_SQL["find_replay"], replay.uid)
    if row is None:
        raise UnknownObject(f'no subscription "{replay.subscription}"')
    return job_of(*row)


async def cancel_replay(db: Db, uid: str, now: Millis) -> str | None:
    """The subscription whose job ended; a job that had ended before stays as it ended."""
    async with db.transaction():
        row = await db.fetchrow(_SQL["cancel_replay"], now, uid)
        if row is None:
            return None
        replay, subscription = row
        await db.execute(_SQL["remove_ranges"], replay)
    uid_of_subscription: str | None = subscription
    return uid_of_subscription


async def running_replays(db: Db, subscription: str) -> list[ReplayJob]:
    """Oldest first."""
    return [job_of(*row) for row in await db.fetch(_SQL["find_running"], subscription)]


async def replays(db: Db, namespace: str | None) -> list[ReplayJob]:
    """Newest first."""
    return [job_of(*row) for row in await db.fetch(_SQL["find_replays"], namespace)]


async def replay_page(db: Db, id_map: PostgresIdMap, uid: str, limit: int) -> ReplayPage:
    """The next candidates. Raises UnknownObject."""
    async with db.transaction(isolation="repeatable_read", readonly=True):
        job = await db.fetchrow(_SQL["find_job"], uid)
        if job is None:
            raise UnknownObject(f'no replay "{uid}"')
        replay, subscription, position, since, until, states, phase, exhausted = job
        if phase != ReplayPhase.RUNNING or exhausted:
            return ReplayPage((), None, True)
        steps = candidates(replay, subscription, position, (since, until), states, limit)
        found = await answered(db, steps)
    last = [] if found.position is None else [found.position]
    await id_map.know(db, numbers=[*last, *(row[0] for row in found.rows)])
    return replay_page_of(id_map, *found)


async def _fix_ranges(db: Db, replay: NewReplay, job: int, subscription: int) -> None:
    if replay.ids:
        ids = set(replay.ids)
        await db.execute(_SQL["insert_id_ranges"], job, subscription, list(ids))
        await db.execute(_SQL["note_not_found"], job, len(ids))
    else:
        await db.execute(_SQL["insert_log_ranges"], job, subscription)
        await db.execute(_SQL["insert_row_ranges"], job, subscription)
