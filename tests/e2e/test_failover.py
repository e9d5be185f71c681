"""The primary dies under load and its standby takes over: nothing newer is skipped, and with
synchronous replication nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from support.clocks.until import until
from support.cluster.e2e import subscriber
from support.cluster.processes import ENDPOINT, SUBSCRIPTION, Cluster, cluster, post
from support.postgres.server import PostgresServer, require_binaries

EVENTS = 500
"""Accepted before, and again after."""
BEHIND = 100
"""Accepted by the primary after its standby stopped following."""
PROVIDERS = 8
PAUSE_SECONDS = 0.01
TRIES = 200


@pytest.fixture
def pair() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A primary and a standby that follows it."""
    primary = PostgresServer(require_binaries()).create().start()
    standby = PostgresServer(require_binaries())
    standby.copy_of(primary).start()
    yield primary, standby
    standby.remove()
    primary.remove()


def both(primary: PostgresServer, standby: PostgresServer) -> str:
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    return f"postgresql://postgres@{hosts}/postgres?sslmode=disable"


class Providers:
    """Some of them, each sending one event after the other until it is told to end."""

    def __init__(self, made: Cluster) -> None:
        self._made = made
        self._over = False
        self._number = 0
        self.accepted: list[str] = []

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
            for _ in range(PROVIDERS):
                tasks.create_task(self._send(session))
            try:
                yield
            finally:
                self._over = True

    async def more(self, count: int) -> None:
        """Until so many more are accepted."""
        wanted = len(self.accepted) + count
        await until(lambda: len(self.accepted) >= wanted, f"{count} more events accepted")

    async def _send(self, session: aiohttp.ClientSession) -> None:
        while not self._over:
            self._number += 1
            await self._until_accepted(session, f"event-{self._number}")
            await asyncio.sleep(PAUSE_SECONDS)

    async def _until_accepted(self, session: aiohttp.ClientSession, event: str) -> None:
        """While the receiver starts over its door is closed for a moment."""
        receiver = self._made.processes["r"]
        for _ in range(TRIES):
            with contextlib.suppress(aiohttp.ClientError):
                status, headers = await post(session, receiver.url, event, event.encode())
                if 200 <= status < 300:
                    self.accepted.append(event)
                    return
                assert status == 503
                assert "Retry-After" in headers
            await asyncio.sleep(0.1)
        raise AssertionError(f"{event} was not accepted: {receiver.output()}")


async def be_synchronous(primary: PostgresServer) -> None:
    async with primary.admin() as db:
        await db.execute("alter system set synchronous_standby_names = '*'")
        await db.execute("select pg_reload_conf()")


async def fall_behind(standby: PostgresServer) -> None:
    """It follows no more, so that its log is shorter than the primary's when it is promoted."""
    async with standby.admin() as db:
        await db.execute("alter system set primary_conninfo = ''")
        await db.execute("select pg_reload_conf()")
        query = "select count(*) from pg_stat_activity where backend_type = 'walreceiver'"

        async def follows_no_more() -> bool:
            return not await db.fetchval(query)

        await until(follows_no_more, "the standby to follow no more")


@pytest.mark.parametrize("synchronous", [False, True])
async def test_a_failover_under_load(
    tmp_path: Path,
    pair: tuple[PostgresServer, PostgresServer],
    synchronous: bool,
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    primary, standby = pair
    if synchronous:
        await be_synchronous(primary)
    async with subscriber() as target, cluster(tmp_path, both(primary, standby)) as made:
        assert (await made.run("migrate"))[0] == 0
        (made.manifests / "in.yaml").write_text(ENDPOINT)
        (made.manifests / "out.yaml").write_text(SUBSCRIPTION.format(number=0, url=target.url))
        await made.apply()
        await made.add("receiver", "r")
        await made.add("dispatcher", "d")
        providers = Providers(made)
        async with providers.sending():
            await providers.more(EVENTS)
            if not synchronous:
                await fall_behind(standby)
                await providers.more(BEHIND)
            await asyncio.to_thread(primary.stop, signal.SIGQUIT)
            before = len(providers.accepted)
            await asyncio.to_thread(standby.promote)
            await providers.more(EVENTS)
        stored = await bodies(standby)
        lost = [event for event in providers.accepted if event not in stored]
        record_testsuite_property(f"lost, synchronous={synchronous}", len(lost))
        assert len(lost) >= (0 if synchronous else BEHIND)
        may_be_lost = set() if synchronous else set(providers.accepted[:before])
        assert set(lost) <= may_be_lost
        await until(lambda: stored <= {x.body.decode() for x in target.received}, "all stored")
        for name in ("r", "d"):
            assert "starting over" in made.processes[name].output()


async def bodies(server: PostgresServer) -> set[str]:
    """Of all events that it has."""
    db = await asyncpg.connect(server.dsn())
    try:
        rows = await db.fetch("select body from hookplane.event")
    finally:
        await db.close()
    return {row[0].decode() for row in rows}
