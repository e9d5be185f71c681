"""The primary dies and its standby takes over: what is accepted after that is delivered."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from support_cluster import ENDPOINT, SUBSCRIPTION, Cluster, cluster, post
from support_e2e import subscriber, until
from support_postgres import PostgresServer, require_binaries

EVENTS = 20
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


async def send_until_accepted(made: Cluster, event: str) -> None:
    """As a provider does: while the receiver starts over, its door is closed for a moment."""
    async with aiohttp.ClientSession() as session:
        for _ in range(TRIES):
            with contextlib.suppress(aiohttp.ClientError):
                status, headers = await post(
                    session, made.processes["r"].url, event, event.encode()
                )
                if 200 <= status < 300:
                    return
                assert status == 503
                assert "Retry-After" in headers
            await asyncio.sleep(0.1)
    raise AssertionError(f"{event} was not accepted: {made.processes['r'].output()}")


@pytest.mark.parametrize("synchronous", [False, True])
async def test_what_is_accepted_after_a_failover_arrives(
    tmp_path: Path, pair: tuple[PostgresServer, PostgresServer], synchronous: bool
) -> None:
    primary, standby = pair
    if synchronous:
        async with primary.admin() as db:
            await db.execute("alter system set synchronous_standby_names = '*'")
            await db.execute("select pg_reload_conf()")
    async with subscriber() as target, cluster(tmp_path, both(primary, standby)) as made:
        assert (await made.run("migrate"))[0] == 0
        (made.manifests / "in.yaml").write_text(ENDPOINT)
        (made.manifests / "out.yaml").write_text(SUBSCRIPTION.format(number=0, url=target.url))
        await made.apply()
        await made.add("receiver", "r")
        await made.add("dispatcher", "d")
        before = [f"before-{i}" for i in range(EVENTS)]
        for event in before:
            await send_until_accepted(made, event)
        await asyncio.to_thread(primary.stop, signal.SIGQUIT)
        await asyncio.to_thread(standby.promote)
        after = [f"after-{i}" for i in range(EVENTS)]
        for event in after:
            await send_until_accepted(made, event)
        wanted = {*after, *(before if synchronous else ())}
        await until(lambda: wanted <= {x.body.decode() for x in target.received}, "all of these")
        for name in ("r", "d"):
            assert "starting over" in made.processes[name].output()
        await until_stored(standby, wanted)


async def until_stored(server: PostgresServer, wanted: set[str]) -> None:
    """The promoted database has them as well."""
    db = await asyncpg.connect(server.dsn())
    try:
        bodies = await db.fetch("select body from hookplane.event")
    finally:
        await db.close()
    assert wanted <= {row[0].decode() for row in bodies}
