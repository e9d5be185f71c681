"""Sets everything up, breaks it in a random order under load, and settles the account."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.account import Account, settle
from benchmarks.bench import tell
from benchmarks.cluster_ledger.changes import LEFT, Changes, until_none
from benchmarks.cluster_ledger.faults import Fault, Faults
from benchmarks.cluster_ledger.manifests import IN_FLIGHT, Manifests
from benchmarks.cluster_ledger.providers import Accepted, Providers
from benchmarks.cluster_ledger.targets import TARGETS, Answers, arrivals, replayed
from support.cluster.e2e import Received, subscriber
from support.cluster.processes import Cluster, Process, cluster
from support.postgres.proxy import FaultProxy, fault_proxy
from support.postgres.server import PostgresServer, require_binaries

CYCLE: Final = (0.3, 1.5)
"""Seconds between the end of one fault and the next."""
_UNMEANT: Final = re.compile(r"WorkerFailed|^\w[\w.]*(Error|Exception)\b|Traceback| ERROR ")


@dataclass(frozen=True, slots=True)
class Run:
    """How it is done."""

    kills: int
    others: int
    """Faults of other kinds, and changes."""
    rate: float
    seed: int
    receivers: int = 3
    dispatchers: int = 3


@dataclass(slots=True)
class Observed:
    """What was seen besides the account."""

    accepted: Accepted
    faults: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    """Lines of logs that nobody meant to be there."""
    back: list[float] = field(default_factory=list)
    """Seconds from the end of an outage until something was accepted again."""
    replayed: int = 0
    """Deliveries of replays."""


@dataclass(slots=True)
class _Parts:
    receivers: list[Process] = field(default_factory=list)
    dispatchers: list[Process] = field(default_factory=list)
    proxies: dict[str, FaultProxy] = field(default_factory=dict)


async def measure(run: Run, folder: Path) -> tuple[Account, Observed]:
    """Raises RuntimeError when the system does not start or does not get done."""
    server = PostgresServer(require_binaries()).create().start()
    try:
        async with AsyncExitStack() as stack:
            chance = random.Random(run.seed)
            target = await stack.enter_async_context(subscriber())
            target.answer = Answers(chance).answer
            made = await stack.enter_async_context(cluster(folder, server.dsn("postgres")))
            manifests = Manifests(made.manifests, target.url)
            parts = await _start(run, server, made, stack)
            providers = Providers(run.rate, parts.receivers)
            faults = Faults(
                chance,
                server,
                parts.receivers,
                parts.dispatchers,
                parts.proxies,
                providers.seen,
            )
            changes = Changes(chance, made, manifests, providers)
            observed = Observed(providers.seen, back=faults.back)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(providers.send())
                await _break(run, chance, faults.kill, faults.others | changes.kinds, observed)
                providers.over.set()
            await until_none(made, LEFT)
            observed.errors.update(_unmeant([*parts.receivers, *parts.dispatchers]))
            observed.replayed = replayed(target.received)
            return _account(providers.seen, target.received, faults.kills), observed
    finally:
        server.remove()


async def _start(run: Run, server: PostgresServer, made: Cluster, stack: AsyncExitStack) -> _Parts:
    code, output = await made.run("migrate")
    if code:
        raise RuntimeError(output)
    await made.apply()
    parts = _Parts()
    for role, count, found in (
        ("receiver", run.receivers, parts.receivers),
        ("dispatcher", run.dispatchers, parts.dispatchers),
    ):
        proxy = parts.proxies[role] = await stack.enter_async_context(fault_proxy(server.port))
        dsn = server.dsn("postgres", proxy.port)
        for number in range(count):
            found.append(await made.add(role, f"{role}-{number}", dsn, wall_clock=True))
    return parts


async def _break(
    run: Run, chance: random.Random, kill: Fault, others: dict[str, Fault], observed: Observed
) -> None:
    """Faults in a random order; everything runs again at the end."""
    kinds = {"kill -9": kill, **others}
    plan = ["kill -9"] * run.kills
    plan += [list(others)[number % len(others)] for number in range(run.others)]
    chance.shuffle(plan)
    for number, name in enumerate(plan, 1):
        await asyncio.sleep(chance.uniform(*CYCLE))
        tell(f"fault {number} of {len(plan)}: {name}")
        observed.faults[name] += 1
        await kinds[name]()
    await asyncio.sleep(2)


def _unmeant(processes: Sequence[Process]) -> Counter[str]:
    lines = [line for process in processes for line in process.output().splitlines()]
    return Counter(line[:200] for line in lines if _UNMEANT.search(line))


def _account(seen: Accepted, received: list[Received], kills: list[int]) -> Account:
    numbers = range(max(seen.statuses, default=-1) + 1)
    log = {
        "first": 0,
        "status": [seen.statuses.get(number, 0) for number in numbers],
        "sent": [1 for _ in numbers],
    }
    return settle(log, arrivals(received), sorted(kills), TARGETS, IN_FLIGHT * TARGETS)
