"""Receivers and dispatchers that share a PostgreSQL: what each does when another one goes."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import pytest

from hookplane.store.postgres.migrate import migrations
from hookplane.store.process_registry import LEASE
from support.clocks.until import PATIENCE, until
from support.cluster.e2e import Subscriber, subscriber
from support.cluster.processes import ENDPOINT, KEY, SUBSCRIPTION, Cluster, cluster, post
from support.postgres.server import shared_server

SUBSCRIPTIONS = 6
HELD_BY = (
    "select count(*) from hookplane.subscription s "
    "join hookplane.process p on p.process = s.owner where p.instance = '{instance}'"
)


@asynccontextmanager
async def world(
    folder: Path, receivers: int, dispatchers: int, **environment: str
) -> AsyncIterator[tuple[Cluster, Subscriber]]:
    server = shared_server()
    async with server.admin() as db:
        name = f"e2e_{folder.name.replace('-', '_')}"[:60].lower()
        await db.execute(f'create database "{name}"')
    async with subscriber() as target, cluster(folder, server.dsn(name)) as made:
        assert await made.run("migrate") == (0, f"schema {len(migrations())}, was 0\n")
        made.environment |= environment
        (made.manifests / "in.yaml").write_text(ENDPOINT)
        documents = [SUBSCRIPTION.format(number=n, url=target.url) for n in range(SUBSCRIPTIONS)]
        (made.manifests / "out.yaml").write_text("---".join(documents))
        await made.apply()
        await asyncio.gather(
            *(made.add("receiver", f"r{i}") for i in range(receivers)),
            *(made.add("dispatcher", f"d{i}") for i in range(dispatchers)),
        )
        yield made, target
    await server.drop_database(f'"{name}"')


async def send(made: Cluster, *events: str) -> None:
    """To the receivers in turn; each must take it."""
    urls = [process.url for process in made.processes.values() if process.role == "receiver"]
    async with aiohttp.ClientSession() as session:
        for i, event in enumerate(events):
            status, _ = await post(session, urls[i % len(urls)], event, event.encode())
            assert 200 <= status < 300


async def answer(made: Cluster, query: str) -> int:
    """What the database says to a question for a number."""
    db = await asyncpg.connect(made.environment["HOOKPLANE_STORE"])
    try:
        return int(await db.fetchval(query))
    finally:
        await db.close()


async def until_query(made: Cluster, query: str, expected: int) -> None:
    """Waits until the database says so."""
    db = await asyncpg.connect(made.environment["HOOKPLANE_STORE"])
    try:

        async def holds() -> bool:
            return bool(await db.fetchval(query) == expected)

        await until(holds, f"{query} to be {expected}")
    finally:
        await db.close()


async def until_written(made: Cluster, events: int) -> None:
    """Waits until nothing is in flight: what is could come again."""
    query = "select sum(delivered)::bigint from hookplane.subscription"
    await until_query(made, query, events * SUBSCRIPTIONS)


def arrived(target: Subscriber, *events: str) -> bool:
    """Each of these at each subscription."""
    seen = {(x.path, x.body.decode()) for x in target.received}
    return seen >= {(f"/s{n}", event) for n in range(SUBSCRIPTIONS) for event in events}


async def test_events_of_all_receivers_reach_each_subscriber_once(tmp_path: Path) -> None:
    async with world(tmp_path, receivers=2, dispatchers=2) as (made, target):
        output = await made.apply("--wait", "20s")
        assert "is in force in 4 places" in output
        events = [f"event-{i}" for i in range(10)]
        await send(made, *events)
        await until(lambda: arrived(target, *events), "all events at all subscriptions")
        assert len(target.received) == len(events) * SUBSCRIPTIONS
        await until_query(made, "select count(distinct owner) from hookplane.subscription", 2)
        everything = "".join(process.output() for process in made.processes.values())
        for secret in (KEY, "ab" * 32):
            assert secret not in everything


async def test_nothing_is_sent_to_the_database_or_where_a_dispatcher_may_not(
    tmp_path: Path,
) -> None:
    """The subscriptions are in force; what a name leads to is only known where it is dialled."""
    async with world(tmp_path, receivers=1, dispatchers=0) as (made, target):
        database = urlsplit(made.environment["HOOKPLANE_STORE"])
        url = f"http://{database.hostname}:{database.port}"
        (made.manifests / "database.yaml").write_text(SUBSCRIPTION.format(number=99, url=url))
        await made.apply()
        made.environment["HOOKPLANE_REFUSED_TARGETS"] = urlsplit(target.url).netloc
        await made.add("dispatcher", "d0")
        await send(made, "event")
        refused = (
            "select count(distinct subscription) from hookplane.attempt "
            "where error like 'address not allowed: 127.0.0.1 at port % is no target%'"
        )
        await until_query(made, refused, SUBSCRIPTIONS + 1)
        assert target.received == []


@asynccontextmanager
async def lease_that_does_not_end(made: Cluster, instance: str) -> AsyncIterator[None]:
    """Writes heartbeats in the name of another process."""
    db = await asyncpg.connect(made.environment["HOOKPLANE_STORE"])

    async def beat() -> None:
        while True:
            await db.execute(
                "update hookplane.process set expires_at = hookplane.now_millis() + $1 "
                "where instance = $2 and not ended",
                LEASE,
                instance,
            )
            await asyncio.sleep(LEASE / 4_000)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        await db.close()


async def cut(made: Cluster, instance: str) -> None:
    """Ends the connection by which others see that it lives, once it has one."""
    await until_query(
        made,
        "select bool_and(pg_terminate_backend(session, 10000))::int from hookplane.process "  # noqa: S608
        f"where instance = '{instance}' and not ended",
        1,
    )


async def epochs(made: Cluster) -> dict[str, tuple[int, int]]:
    """Of each subscription: owner and epoch, which each claim raises."""
    db = await asyncpg.connect(made.environment["HOOKPLANE_STORE"])
    try:
        rows = await db.fetch("select uid, owner, epoch from hookplane.subscription")
    finally:
        await db.close()
    return {uid: (owner, epoch) for uid, owner, epoch in rows}


def twice(target: Subscriber) -> list[tuple[str, str]]:
    """Event and path of what came more than once."""
    came = Counter((x.body.decode(), x.path) for x in target.received)
    return [x for x, times in came.items() if times > 1]


@pytest.mark.parametrize("others", [1, 0])
async def test_a_killed_dispatcher_is_taken_over_without_its_lease(
    tmp_path: Path, others: int
) -> None:
    """By one that was there, or by one that is started after it under another name."""
    async with world(tmp_path, receivers=1, dispatchers=1 + others) as (made, target):
        await send(made, "before")
        await until(lambda: arrived(target, "before"), "the first event")
        await until_written(made, 1)
        async with lease_that_does_not_end(made, "d0"):
            await made.processes["d0"].kill()
            if not others:
                await made.add("dispatcher", "new")
            await send(made, "after")
            await until(lambda: arrived(target, "after"), "the event after the kill")
        assert twice(target) == []


async def test_a_dispatcher_whose_connection_is_cut_goes_on(tmp_path: Path) -> None:
    async with world(tmp_path, receivers=1, dispatchers=2) as (made, target):
        await made.apply("--wait", "20s")
        await send(made, "before")
        await until(lambda: arrived(target, "before"), "the first event")
        await until_written(made, 1)
        owned = await epochs(made)
        for number in range(5):
            await cut(made, "d0")
            await send(made, f"event-{number}")
            await until(lambda: arrived(target, f"event-{number}"), "the event after the cut")  # noqa: B023
        await until_written(made, 6)
        assert await epochs(made) == owned
        assert twice(target) == []


async def test_who_was_cut_while_it_stood_still_sends_nothing_that_is_anothers(
    tmp_path: Path,
) -> None:
    """It cannot know, when it goes on, that its connection has ended meanwhile."""
    async with world(tmp_path, receivers=1, dispatchers=2) as (made, target):
        await send(made, "before")
        await until(lambda: arrived(target, "before"), "the first event")
        await until_written(made, 1)
        async with lease_that_does_not_end(made, "d0"):
            made.processes["d0"].send(signal.SIGSTOP)
            await cut(made, "d0")
            await send(made, "while")
            await until(lambda: arrived(target, "while"), "the event while one stood still")
        made.processes["d0"].send(signal.SIGCONT)
        await send(made, "after")
        await until(lambda: arrived(target, "after"), "the event after it goes on")
        assert [x for x in twice(target) if x[0] != "after"] == []


async def test_a_graceful_stop_hands_over_at_once(tmp_path: Path) -> None:
    async with world(tmp_path, receivers=1, dispatchers=2) as (made, target):
        await send(made, "before")
        await until(lambda: arrived(target, "before"), "the first event")
        await until_written(made, 1)
        await until_query(made, "select count(distinct owner) from hookplane.subscription", 2)
        assert await made.processes["d0"].stop() == 0
        # it gave up all that it had before it ended, so nobody waits for its lease to run out
        assert await answer(made, HELD_BY.format(instance="d0")) == 0
        await send(made, "after")
        await until(lambda: arrived(target, "after"), "the event after the stop")
        assert len(target.received) == 2 * SUBSCRIPTIONS
        await made.add("dispatcher", "d2")
        await send(made, "more")
        await until(lambda: arrived(target, "more"), "an event after one joined")
        assert len(target.received) == 3 * SUBSCRIPTIONS


async def test_who_was_stopped_and_goes_on_sends_nothing_that_is_anothers(tmp_path: Path) -> None:
    async with world(tmp_path, receivers=1, dispatchers=2) as (made, target):
        await send(made, "before")
        await until(lambda: arrived(target, "before"), "the first event")
        await until_written(made, 1)
        made.processes["d0"].send(signal.SIGSTOP)
        await send(made, "while")
        await until(lambda: arrived(target, "while"), "the event while one stood still")
        made.processes["d0"].send(signal.SIGCONT)
        await send(made, "after")
        await until(lambda: arrived(target, "after"), "the event after it goes on")
        # what is handed back while it is under way may come again, what was taken over must not
        assert [x for x in twice(target) if x[0] != "after"] == []


async def test_a_change_reaches_every_process(tmp_path: Path) -> None:
    async with world(tmp_path, receivers=2, dispatchers=2) as (made, target):
        more = SUBSCRIPTION.format(number=SUBSCRIPTIONS, url=target.url)
        (made.manifests / "more.yaml").write_text(more)
        output = await made.apply("--wait", "20s")
        assert f"created subscription default/s{SUBSCRIPTIONS}" in output
        await send(made, "event")
        await until(
            lambda: f"/s{SUBSCRIPTIONS}" in {x.path for x in target.received}, "the new target"
        )
        (made.manifests / "more.yaml").unlink()
        assert "--prune deletes them" in await made.apply()
        output = await made.apply("--prune", "--wait", "20s")
        assert f"deleted subscription default/s{SUBSCRIPTIONS}" in output
        await send(made, "last")
        await until(lambda: arrived(target, "last"), "the others")
        assert not [x for x in target.received if x.path.endswith(f"s{SUBSCRIPTIONS}")][1:]


async def test_sealing_keys_that_are_lost_cost_no_event(tmp_path: Path) -> None:
    """Configuration is sealed anew while the processes go on with what they know, and only then are
    these started with the new keys."""
    async with world(tmp_path, receivers=1, dispatchers=1) as (made, target):
        (made.folder / "keys").write_text(f"k2:{'cd' * 32}\n")
        assert "changed endpoint default/in" in await made.apply()
        await send(made, "before")
        await until(lambda: arrived(target, "before"), "the event before the restart")
        for process in made.processes.values():
            await process.stop()
            await process.start()
        await send(made, "after")
        await until(lambda: arrived(target, "after"), "the event after it")


async def statuses(made: Cluster, receiver: str, events: list[str], body: bytes) -> list[int]:
    """Of the answers of one receiver, asked at once."""
    url = made.processes[receiver].url
    async with aiohttp.ClientSession() as session:
        answers = await asyncio.gather(*(post(session, url, event, body) for event in events))
    return [status for status, _ in answers]


async def test_what_one_receiver_stores_counts_at_the_others(tmp_path: Path) -> None:
    quota = {"HOOKPLANE_QUOTA_STORED_BYTES": "1000"}
    async with world(tmp_path, receivers=2, dispatchers=0, **quota) as (made, _):
        assert await statuses(made, "r0", ["fills"], b"x" * 1000) == [200]
        assert await statuses(made, "r0", ["more"], b"x") == [503]
        end = time.monotonic() + PATIENCE
        number = 0
        while await statuses(made, "r1", [f"over-{number}"], b"x") != [503]:
            assert time.monotonic() < end, "the other receiver goes on accepting"
            number += 1
        # without the notice about it, which is nobody's
        query = "select sum(bytes)::bigint from hookplane.endpoint where namespace = 'default'"
        await until_query(made, query, 1000 + number)


async def test_receivers_share_the_events_of_a_namespace(tmp_path: Path) -> None:
    quota = {"HOOKPLANE_QUOTA_EVENTS_PER_SECOND": "20"}
    async with world(tmp_path, receivers=2, dispatchers=0, **quota) as (made, _):
        ready = "select count(*) from hookplane.process where ready and not ended"
        await until_query(made, ready, 2)
        for name in ("r0", "r1"):
            await until_heartbeats(made, name)
            begun = time.monotonic()
            answers = await statuses(made, name, [f"{name}-{i}" for i in range(60)], b"x")
            took = time.monotonic() - begun
            assert 10 <= answers.count(200) <= 11 + 10 * took
            assert set(answers) <= {200, 429}


async def until_heartbeats(made: Cluster, instance: str) -> None:
    """Waits until one has begun and ended since now: it tells what the store says by now."""
    lease = f"select expires_at from hookplane.process where instance = '{instance}'"  # noqa: S608
    db = await asyncpg.connect(made.environment["HOOKPLANE_STORE"])
    try:
        seen = set()

        async def renewed() -> bool:
            seen.add(await db.fetchval(lease))
            return len(seen) >= 3

        await until(renewed, f"two heartbeats of {instance}")
    finally:
        await db.close()


async def test_everything_that_is_wrong_is_said_at_the_start(tmp_path: Path) -> None:
    async with cluster(tmp_path, "mysql://user:s3cret@host/db") as made:
        made.environment |= {"HOOKPLANE_GRACE": "soon", "HOOKPLANE_LISTNE": "x"}
        code, output = await made.run("dispatcher")
        assert code == 1
        assert "HOOKPLANE_STORE: it is a URL such as postgresql://" in output
        assert "HOOKPLANE_GRACE:" in output
        assert "s3cret" not in output


@pytest.mark.parametrize("role", ["receiver", "dispatcher"])
async def test_a_schema_that_is_missing_is_said(tmp_path: Path, role: str) -> None:
    async with cluster(tmp_path, shared_server().dsn("postgres")) as made:
        code, output = await made.run(role)
        assert (code, "run `hookplane migrate` first" in output) == (1, True)


GRANTS = (
    "create role limited login",
    "grant usage on schema hookplane to limited",
    "grant select, insert, update, delete on all tables in schema hookplane to limited",
    "grant usage on all sequences in schema hookplane to limited",
    "grant execute on all functions in schema hookplane to limited",
)
"""As docs/operations.md has them."""


async def test_rights_that_are_taken_away_for_a_while_end_no_process(tmp_path: Path) -> None:
    async with world(tmp_path, receivers=1, dispatchers=0) as (made, target):
        owner = await asyncpg.connect(made.environment["HOOKPLANE_STORE"])
        for statement in GRANTS:
            await owner.execute(statement)
        dsn = made.environment["HOOKPLANE_STORE"].replace("postgres@", "limited@")
        process = await made.add("dispatcher", "d", dsn)
        await owner.execute("revoke update, delete on all tables in schema hookplane from limited")
        await until(lambda: "permission denied" in process.output(), "the refusal to be told")
        await send(made, "event-1")
        await asyncio.sleep(3)
        assert process.process is not None
        assert process.process.returncode is None
        await owner.execute(GRANTS[2])
        await until(lambda: arrived(target, "event-1"), "the deliveries")
        await process.stop()
        await owner.execute("drop owned by limited")
        await owner.execute("drop role limited")
        await owner.close()
