"""The store of a world: SQLite's in the event loop, and how the record looks into it."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from hookplane.store.event_numbers import sequence_of
from hookplane.store.queries import SubscriptionStats
from hookplane.store.sqlite import status
from hookplane.store.sqlite.connection import connect_reader
from hookplane.store.sqlite.driver import SQLiteStore
from support.simulation.connection import InlineWorker, Weather
from support.simulation.processes import SimulatedProcess
from support.simulation.reader import Log

MOST_PAGES: Final = (1 << 32) - 2


class StoreView(Protocol):
    """What the record sees, past the product."""

    def logs(self) -> dict[str, Log]:
        """All endpoints, also those that are deleted."""

    def place(self, event: str) -> tuple[str, int] | None:
        """Endpoint and number; None: the event is not stored."""

    def stats(self, subscriptions: Sequence[str]) -> Iterable[SubscriptionStats]:
        """All numbers are of one moment."""


class SimulatedStore(Protocol):
    """A store, whichever driver it is."""

    @property
    def view(self) -> StoreView:
        """For the record."""

    def of_process(self, process: SimulatedProcess) -> Any:
        """What a process, or the world itself, uses as its store."""

    def ended(self, process: SimulatedProcess) -> None:
        """A process was killed."""

    def fill_disk(self, is_full: bool) -> None:
        """Nothing more can be stored, as far as there is no room in the files."""

    async def close(self) -> None:
        """Takes everything away."""


class SqlView(ABC):
    """Asks the tables, of which both drivers have the ones that are needed here."""

    def logs(self) -> dict[str, Log]:
        rows = self._fetch("select uid, endpoint, floor, head from endpoint")
        return {uid: Log(age, sequence_of(x), sequence_of(y)) for uid, age, x, y in rows}

    def place(self, event: str) -> tuple[str, int] | None:
        rows = self._fetch(
            "select p.uid, e.number from event e join endpoint p on p.endpoint = e.number >> 40"
            " where e.event_id = ?1",
            event,
        )
        return (rows[0][0], sequence_of(rows[0][1])) if rows else None

    @abstractmethod
    def stats(self, subscriptions: Sequence[str]) -> Iterable[SubscriptionStats]:
        """See `StoreView`."""

    @abstractmethod
    def _fetch(self, query: str, *arguments: str) -> Sequence[Any]:
        """Rows; parameters are `?1` and so on."""


class SqliteView(SqlView):
    """Reads the file."""

    def __init__(self, folder: Path) -> None:
        self._db = connect_reader(folder / "hookplane.db")

    def stats(self, subscriptions: Sequence[str]) -> Iterable[SubscriptionStats]:
        return status.subscription_stats(self._db, subscriptions)

    def _fetch(self, query: str, *arguments: str) -> Sequence[Any]:
        return self._db.execute(query, arguments).fetchall()

    def close(self) -> None:
        self._db.close()


class SqliteSide:
    """One store for all processes, as the driver is made for one."""

    def __init__(self, store: SQLiteStore, writer: sqlite3.Connection, view: SqliteView) -> None:
        """Use `open`."""
        self._store = store
        self._writer = writer
        self.view = view

    @classmethod
    async def open(cls, folder: Path, weather: Weather) -> SqliteSide:
        """In an empty folder."""
        connections: dict[str, sqlite3.Connection] = {}

        def make_worker(name: str, db: sqlite3.Connection, *_: Any) -> InlineWorker:
            connections[name] = db
            return InlineWorker(weather, db)

        store = await SQLiteStore.open(folder, weather, make_worker=make_worker)
        return cls(store, connections["store-writer"], SqliteView(folder))

    def of_process(self, _process: SimulatedProcess) -> Any:
        return self._store

    def ended(self, process: SimulatedProcess) -> None:
        """Nobody sees it: the driver has no connections."""

    def fill_disk(self, is_full: bool) -> None:
        self._writer.execute(f"pragma max_page_count = {1 if is_full else MOST_PAGES}")

    async def close(self) -> None:
        await self._store.close()
        self.view.close()
