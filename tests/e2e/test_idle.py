"""What a database has to do for those who wait for events."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg

from hookplane.store.postgres.migrate import migrations
from support.clocks.until import until
from support.cluster.processes import ENDPOINT, SUBSCRIPTION, Cluster, cluster
from support.postgres.server import shared_server

ENDPOINTS = 1_000
SECONDS = 10
MOST_A_SECOND = 10


async def commits(db: asyncpg.Connection[asyncpg.Record]) -> int:
    """So far, of all processes; a session tells its own within a second or so."""
    query = "select xact_commit from pg_stat_database where datname = current_database()"
    return int(await db.fetchval(query))


async def rate(db: asyncpg.Connection[asyncpg.Record]) -> float:
    """Commits a second, without those that ask for it."""
    before = await commits(db)
    await asyncio.sleep(SECONDS)
    return (await commits(db) - before - 1) / SECONDS


def manifests() -> str:
    """Endpoints, each with a subscription."""
    secret, _, endpoint = ENDPOINT.partition("---\n")
    made = [secret]
    for number in range(ENDPOINTS):
        name = f"name: in{number}"
        subscription = SUBSCRIPTION.format(number=number, url="http://127.0.0.1:8080")
        made += [endpoint.replace("name: in", name), subscription.replace("name: in", name)]
    return "---\n".join(made)


async def test_a_thousand_endpoints_cost_a_database_nothing_while_they_are_idle(
    tmp_path: Path,
) -> None:
    """Statements go with processes and time, and not with endpoints."""
    server = shared_server()
    async with server.admin() as db:
        await db.execute("create database idle")
    async with cluster(tmp_path, server.dsn("idle")) as made:
        assert await made.run("migrate") == (0, f"schema {len(migrations())}, was 0\n")
        (made.manifests / "all.yaml").write_text(manifests())
        await made.apply()
        await made.add("receiver", "r0")
        await made.add("dispatcher", "d0")
        await is_idle(made)
    await server.drop_database("idle")


async def is_idle(made: Cluster) -> None:
    """What was started has settled, and what it goes on to do is little."""
    db = await asyncpg.connect(made.environment["HOOKPLANE_STORE"])
    rates: list[float] = []

    async def has_settled() -> bool:
        rates.append(await rate(db))
        return rates[-1] <= MOST_A_SECOND

    try:
        await until(has_settled, f"at most {MOST_A_SECOND} commits a second: {rates}")
    finally:
        await db.close()
