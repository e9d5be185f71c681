"""PostgreSQL as the store of a world: a real server and the real driver, which have a thread of
their own. Each call is carried out as a whole while the time of the simulation stands still, so a
seed does the same again. The database's clock is the simulation's, and so are wake-ups.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg

from hookplane.errors import StoreUnavailable
from hookplane.secret import Secret
from hookplane.store.access import StoreAccess
from hookplane.store.local_notifier import LocalNotifier
from hookplane.store.notifications import Topic
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.queries import SubscriptionStats
from support.postgres.clock import NOW_MILLIS
from support.postgres.server import PostgresServer, require_binaries
from support.simulation.connection import AT_COMMIT, Weather
from support.simulation.processes import SimulatedProcess
from support.simulation.stores import SqlView

T = TypeVar("T")

ERA_MILLIS: Final = 300_000
"""Most runs cross some eras."""
SERVER: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Nothing of it has to outlive the simulation."""
SCHEMA: Final = {"search_path": "hookplane"}
OF_SESSION: Final = {"register", "heartbeat", "look", "declare_dead"}
"""What a process asks over the connection whose end tells that it is dead."""
TOLD: Final[dict[str, tuple[Topic, Callable[..., str]]]] = {
    "append": (Topic.EVENTS, lambda event: event.endpoint),
    "apply_config": (Topic.CONFIG, lambda *_: ""),
    "register": (Topic.PROCESSES, lambda *_: ""),
    "leave": (Topic.PROCESSES, lambda *_: ""),
    "declare_dead": (Topic.PROCESSES, lambda *_: ""),
    "release": (Topic.SUBSCRIPTION, lambda uid, *_: uid),
    "create_replay": (Topic.SUBSCRIPTION, lambda replay: replay.subscription),
    "request_resume": (Topic.SUBSCRIPTION, lambda uid: uid),
}
"""Call → who is woken by it."""


class ServerThread:
    """A thread with an event loop that has sockets."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Waits for it, and nothing else happens in the simulation."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class PostgresView(SqlView):
    """Looks by SQL, and by the driver's own statistics."""

    def __init__(
        self, thread: ServerThread, db: asyncpg.Connection[asyncpg.Record], store: PostgresStore
    ) -> None:
        self._thread = thread
        self._db = db
        self._store = store

    def stats(self, subscriptions: Sequence[str]) -> Iterable[SubscriptionStats]:
        return self._thread.run(self._store.subscription_stats(subscriptions))

    def _fetch(self, query: str, *arguments: str) -> Sequence[Any]:
        return self._thread.run(self._db.fetch(query.replace("?", "$"), *arguments))


class _ProcessStore:
    """The driver's store of one process. Like the network it does what has left the process, but a
    session ends with it."""

    def __init__(self, side: PostgresSide, store: PostgresStore, process: SimulatedProcess) -> None:
        self._side = side
        self._store = store
        self._process = process

    def listen(self, topic: Topic, callback: Callable[[str], None]) -> Callable[[], None]:
        return self._side.notifier.listen(topic, callback)

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._store, name)
        if not inspect.iscoroutinefunction(inner):
            return inner

        async def call(*arguments: Any, **named: Any) -> Any:
            await asyncio.sleep(self._side.weather.service_seconds())
            if name in OF_SESSION and not self._process.alive:
                raise StoreUnavailable("the connection has ended")
            outcome = self._side.carry_out(inner(*arguments, **named))
            if (seen := AT_COMMIT.get(None)) is not None:
                seen()
            if name in TOLD:
                topic, subject = TOLD[name]
                self._side.notifier.tell(topic, subject(*arguments))
            return outcome

        return call


class PostgresSide:
    """A server with one database; each process has a driver of its own."""

    def __init__(self, folder: Path, weather: Weather) -> None:
        """`folder`: for the clock."""
        self.weather = weather
        self.notifier = LocalNotifier()
        self._clock = (folder / "clock").open("w", encoding="ascii")
        self._thread = ServerThread()
        self._server = PostgresServer(require_binaries(), SERVER).create().start()
        folder.chmod(0o755)
        self._stores: dict[SimulatedProcess, PostgresStore] = {}
        self._tell_time()
        self._database = self._thread.run(self._create(folder / "clock"))
        self._db = self._thread.run(
            asyncpg.connect(self._server.dsn(self._database), server_settings=SCHEMA)
        )
        self._own = self._thread.run(PostgresStore.open(self._access("record"), weather))
        self.view = PostgresView(self._thread, self._db, self._own)

    def of_process(self, process: SimulatedProcess) -> Any:
        self._tell_time()
        opened = PostgresStore.open(self._access(self._name(process)), process)
        store = self._stores[process] = self._thread.run(opened)
        return _ProcessStore(self, store, process)

    def carry_out(self, call: Coroutine[Any, Any, T]) -> T:
        """At the time of the simulation."""
        self._tell_time()
        return self._thread.run(call)

    def ended(self, process: SimulatedProcess) -> None:
        """Its session ends."""
        self._thread.run(self._end_session(f"{self._name(process)} session"))

    def fill_disk(self, is_full: bool) -> None:
        """It has its disk to itself."""

    async def close(self) -> None:
        for store in (*self._stores.values(), self._own):
            self._thread.run(store.close())
        self._thread.run(self._db.close())
        self._thread.close()
        self._server.remove()
        self._clock.close()

    def _access(self, application: str) -> StoreAccess:
        return StoreAccess(Secret(self._server.dsn(self._database)), application=application)

    def _name(self, process: SimulatedProcess) -> str:
        number = list(self._stores).index(process) if process in self._stores else len(self._stores)
        return f"process {number}"

    def _tell_time(self) -> None:
        self._clock.seek(0)
        self._clock.write(f"{self.weather.now():020d}")
        self._clock.flush()

    async def _create(self, clock: Path) -> str:
        name = await self._server.create_database()
        async with self._server.admin(name) as db:
            await db.execute(NOW_MILLIS % clock)
            await db.execute("update hookplane.store set era_millis = $1", ERA_MILLIS)
        return name

    async def _end_session(self, application: str) -> None:
        """Returns when the others can see it."""
        await self._db.execute(
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
            " where application_name = $1",
            application,
        )
