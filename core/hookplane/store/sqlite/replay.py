"""Replay jobs: a list of ranges in the logs, fixed at creation, and a position in it."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import orjson

from hookplane.clock import Millis
from hookplane.errors import UnknownObject
from hookplane.store.delivery_store import NewReplay, ReplayJob, ReplayPage, ReplayPhase
from hookplane.store.listings import candidates
from hookplane.store.rows import bounds_of, job_of, replay_page_of, states_of
from hookplane.store.sql import load_statements
from hookplane.store.sqlite.connection import transaction
from hookplane.store.sqlite.id_map import SQLiteIdMap
from hookplane.store.sqlite.stepwise import answered

_SQL: Final = load_statements("hookplane.store.sqlite", "replay.sql")


def create_replay(db: sqlite3.Connection, replay: NewReplay) -> ReplayJob:
    """Creates the job unless it is there. Raises UnknownObject for its subscription."""
    with transaction(db):
        row = db.execute(_SQL["find_replay"], (replay.uid,)).fetchone()
        if row is None:
            _create(db, replay)
            row = db.execute(_SQL["find_replay"], (replay.uid,)).fetchone()
    return job_of(*row)


def cancel_replay(db: sqlite3.Connection, uid: str, now: Millis) -> str | None:
    """The subscription whose job ended; a job that had ended before stays as it ended."""
    with transaction(db):
        rows = db.execute(_SQL["cancel_replay"], (now, uid)).fetchall()
        db.execute(_SQL["remove_ranges"], (uid,))
    return rows[0][0] if rows else None


def running_replays(db: sqlite3.Connection, subscription: str) -> list[ReplayJob]:
    """Oldest first."""
    return [job_of(*row) for row in db.execute(_SQL["find_running"], (subscription,))]


def replays(db: sqlite3.Connection, namespace: str | None) -> list[ReplayJob]:
    """Newest first."""
    return [job_of(*row) for row in db.execute(_SQL["find_replays"], (namespace,))]


def replay_page(db: sqlite3.Connection, id_map: SQLiteIdMap, uid: str, limit: int) -> ReplayPage:
    """The next candidates. Raises UnknownObject."""
    job = db.execute(_SQL["find_job"], (uid,)).fetchone()
    if job is None:
        raise UnknownObject(f'no replay "{uid}"')
    replay, subscription, position, since, until, states, phase, exhausted = job
    if phase != ReplayPhase.RUNNING or exhausted:
        return ReplayPage((), None, True)
    between, wanted = (since, until), orjson.loads(states)
    steps = candidates(replay, subscription, position, between, wanted, limit)
    return replay_page_of(id_map, *answered(db, steps))


def _create(db: sqlite3.Connection, replay: NewReplay) -> None:
    row = db.execute(_SQL["find_subscription"], (replay.subscription,)).fetchone()
    if row is None:
        raise UnknownObject(f'no subscription "{replay.subscription}"')
    (subscription,) = row
    (job,) = db.execute(_SQL["insert_replay"], _values(replay, subscription)).fetchall()[0]
    if replay.ids:
        ids = list(set(replay.ids))
        db.execute(_SQL["insert_id_ranges"], (job, subscription, orjson.dumps(ids).decode()))
        db.execute(_SQL["note_not_found"], (job, len(ids)))
    else:
        db.execute(_SQL["insert_log_ranges"], (job, subscription))
        db.execute(_SQL["insert_row_ranges"], (job, subscription))


def _values(replay: NewReplay, subscription: int) -> tuple[Any, ...]:
    return (
        replay.uid,
        replay.namespace,
        replay.name,
        subscription,
        replay.created,
        *bounds_of(replay),
        orjson.dumps(states_of(replay)).decode(),
    )
