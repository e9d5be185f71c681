"""`python -m benchmarks.cluster_ledger --kills 100`: receivers and dispatchers on PostgreSQL, with
faults of every kind under load, and an account of every event that was accepted.

Exit code 1 when an accepted event was lost, or came twice without having been in flight.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg
import click
from aiohttp import web

from benchmarks.account import Account, settle
from benchmarks.bench import tell
from support.cluster.e2e import Received, subscriber
from support.cluster.processes import KEY, Cluster, Process, cluster, signed
from support.postgres.proxy import Cut, FaultProxy, fault_proxy
from support.postgres.server import PostgresServer, require_binaries

TARGETS: Final = 5
FLAKY: Final = (1, 3)
"""Subscribers that refuse a third of what comes."""
IN_FLIGHT: Final = 16
SCHEDULE: Final = ["300ms"] * 16 + ["3s"] * 16
CYCLE: Final = (0.3, 1.5)
"""Seconds between the end of one fault and the next."""
STOPPED_SECONDS: Final = 12.0
"""Longer than a lease."""
FROZEN_SECONDS: Final = 3.0
TRIES: Final = 60
"""Of a provider, for one event; half a second apart."""
TIMEOUT: Final = 5.0
DRAIN_SECONDS: Final = 120.0
_UNMEANT: Final = re.compile(r"WorkerFailed|^\w[\w.]*(Error|Exception)\b|Traceback| ERROR ")
_STRAGGLERS_SECONDS: Final = 0.3
"""What the victim had sent is seen by then: by the loop that waits, however late it is."""


@dataclass(frozen=True, slots=True)
class Run:
    """How it is done."""

    kills: int
    others: int
    """Faults of other kinds."""
    rate: float
    seed: int
    receivers: int = 3
    dispatchers: int = 3


@dataclass
class Observed:
    """What the providers and the run itself saw."""

    statuses: dict[int, int] = field(default_factory=dict)
    """Event → the status that settled it; 0: given up."""
    answers: Counter[int] = field(default_factory=Counter)
    accepted_at: list[float] = field(default_factory=list)
    slowest_refusal: float = 0.0
    """Seconds until a 503."""
    kills: list[int] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    """Lines of logs."""
    back: list[float] = field(default_factory=list)
    """Seconds from the end of an outage until something was accepted again."""


class Ledger:
    """One run."""

    def __init__(self, run: Run, server: PostgresServer, made: Cluster) -> None:
        self._run = run
        self._server = server
        self._made = made
        self._chance = random.Random(run.seed)
        self.seen = Observed()
        self.receivers: list[Process] = []
        self.dispatchers: list[Process] = []
        self.proxies: dict[str, FaultProxy] = {}
        self.over = asyncio.Event()

    # Load ---------------------------------------------------------------------------------------

    async def load(self) -> None:
        """An open loop until the faults are over."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
            asyncio.TaskGroup() as tasks,
        ):
            number, begun = 0, time.monotonic()
            while not self.over.is_set():
                tasks.create_task(self._provide(session, number))
                number += 1
                await asyncio.sleep(max(begun + number / self._run.rate - time.monotonic(), 0))

    async def _provide(self, session: aiohttp.ClientSession, number: int) -> None:
        body = json.dumps({"n": number}).encode()
        for turn in range(TRIES):
            process = self.receivers[(number + turn) % len(self.receivers)]
            status = await self._try(session, process, number, body)
            self.seen.answers[status] += 1
            if 200 <= status < 300:
                self.seen.statuses[number] = status
                self.seen.accepted_at.append(time.monotonic())
                return
            await asyncio.sleep(0.5)
        self.seen.statuses[number] = 0

    async def _try(
        self, session: aiohttp.ClientSession, process: Process, number: int, body: bytes
    ) -> int:
        """The status; 0: no answer."""
        begun = time.monotonic()
        headers = signed(f"event-{number}", body)
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.post(f"{process.url}/default/in", data=body, headers=headers) as x:
                await x.read()
                if x.status == 503 and "Retry-After" in x.headers:
                    took = time.monotonic() - begun
                    self.seen.slowest_refusal = max(self.seen.slowest_refusal, took)
                return x.status
        return 0

    # Faults -------------------------------------------------------------------------------------

    async def break_things(self) -> None:
        """Faults in a random order; everything runs again at the end."""
        kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "SIGSTOP": self._stop_and_continue,
            "PostgreSQL restarted, fast": lambda: self._restart(signal.SIGINT),
            "PostgreSQL restarted, immediate": lambda: self._restart(signal.SIGQUIT),
            "cut before the server had it": lambda: self._cut(Cut.BEFORE),
            "cut after the server had it": lambda: self._cut(Cut.AFTER),
            "no answer from the database": self._freeze,
            "SIGTERM and start": self._replace,
        }
        plan: list[str] = ["kill -9"] * self._run.kills
        plan += [list(kinds)[i % len(kinds)] for i in range(self._run.others)]
        self._chance.shuffle(plan)
        for number, name in enumerate(plan, 1):
            await asyncio.sleep(self._chance.uniform(*CYCLE))
            tell(f"fault {number} of {len(plan)}: {name}")
            self.seen.faults[name] += 1
            await (self._kill() if name == "kill -9" else kinds[name]())
        await asyncio.sleep(2)
        self.over.set()

    async def _kill(self) -> None:
        victim = self._chance.choice([*self.receivers, *self.dispatchers])
        await victim.kill()
        await self._mark()
        await victim.start()

    async def _mark(self) -> None:
        """The fault lies between all that its victim had sent and all that a successor sends."""
        await asyncio.sleep(_STRAGGLERS_SECONDS)
        self.seen.kills.append(time.monotonic_ns())

    async def _stop_and_continue(self) -> None:
        victim = self._chance.choice(self.dispatchers)
        victim.send(signal.SIGSTOP)
        await self._mark()
        await asyncio.sleep(STOPPED_SECONDS)
        # an attempt that was on its way when it was stopped goes on now, whoever made it meanwhile
        self.seen.kills.append(time.monotonic_ns())
        victim.send(signal.SIGCONT)

    async def _restart(self, sent: signal.Signals) -> None:
        await asyncio.to_thread(self._server.stop, sent)
        await asyncio.sleep(self._chance.uniform(0.2, 2.0))
        # who hands a subscription over while the store is away cannot write down what it has sent
        self.seen.kills.append(time.monotonic_ns())
        await asyncio.to_thread(self._server.start)
        await self._until_accepted(time.monotonic())

    async def _until_accepted(self, end: float) -> None:
        while max(self.seen.accepted_at[-1:], default=0.0) < end:  # noqa: ASYNC110 - it is a list
            await asyncio.sleep(0.01)
        self.seen.back.append(self.seen.accepted_at[-1] - end)

    async def _cut(self, cut: Cut) -> None:
        """In the middle of an append and of a flush."""
        self.proxies["receiver"].cut_next(b'{"n": ', cut)
        self.proxies["dispatcher"].cut_next(b"evt_", cut)

    async def _freeze(self) -> None:
        proxy = self._chance.choice(list(self.proxies.values()))
        proxy.freeze()
        await asyncio.sleep(FROZEN_SECONDS)
        self.seen.kills.append(time.monotonic_ns())
        proxy.thaw()
        await self._until_accepted(time.monotonic())

    async def _replace(self) -> None:
        victim = self._chance.choice([*self.receivers, *self.dispatchers])
        await victim.stop()
        await victim.start()

    # The end ------------------------------------------------------------------------------------

    def read_logs(self) -> None:
        """Errors that nobody meant to happen."""
        for process in (*self.receivers, *self.dispatchers):
            for line in process.output().splitlines():
                if _UNMEANT.search(line):
                    self.seen.errors[line[:200]] += 1

    async def drain(self) -> None:
        """Until nothing is left to do. Raises RuntimeError when something is stuck."""
        db = await asyncpg.connect(self._made.environment["HOOKPLANE_STORE"])
        end = time.monotonic() + DRAIN_SECONDS
        try:
            while left := await db.fetchval(_LEFT):
                if time.monotonic() > end:
                    raise RuntimeError(f"{left} deliveries are stuck")
                await asyncio.sleep(0.2)
        finally:
            await db.close()


_LEFT: Final = """
select (select count(*) from hookplane.delivery) + (
  select coalesce(sum(e.head - c.position), 0)
  from hookplane.cursor c join hookplane.endpoint e using (endpoint) where c.left_at is null
)
"""


async def measure(run: Run, folder: Path) -> tuple[Account, Observed]:
    """Raises RuntimeError when the system does not start or does not get done."""
    server = PostgresServer(require_binaries()).create().start()
    try:
        async with AsyncExitStack() as stack:
            target = await stack.enter_async_context(subscriber())
            chance = random.Random(run.seed)
            target.answer = lambda seen: web.Response(status=_status(seen, chance))
            made = await stack.enter_async_context(cluster(folder, server.dsn("postgres")))
            ledger = Ledger(run, server, made)
            await _set_up(ledger, run, server, made, target.url, stack)
            loading = asyncio.create_task(ledger.load())
            await ledger.break_things()
            await loading
            await ledger.drain()
            ledger.read_logs()
            account = _account(ledger.seen, target.received)
            return account, ledger.seen
    finally:
        server.remove()


async def _set_up(
    ledger: Ledger,
    run: Run,
    server: PostgresServer,
    made: Cluster,
    url: str,
    stack: AsyncExitStack,
) -> None:
    code, output = await made.run("migrate")
    if code:
        raise RuntimeError(output)
    (made.manifests / "all.json").write_text(json.dumps(_manifests(url)))
    await made.apply()
    for role in ("receiver", "dispatcher"):
        ledger.proxies[role] = await stack.enter_async_context(fault_proxy(server.port))
    for role, count, found in (
        ("receiver", run.receivers, ledger.receivers),
        ("dispatcher", run.dispatchers, ledger.dispatchers),
    ):
        dsn = server.dsn("postgres", ledger.proxies[role].port)
        found += [await made.add(role, f"{role}-{i}", dsn) for i in range(count)]


def _manifests(url: str) -> dict[str, Any]:
    keys = [{"secretKeyRef": {"name": "shared", "key": "key"}}]
    api = "hookplane.dev/v1alpha1"
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "shared"},
        "stringData": {"key": f"whsec_{KEY}"},
    }
    endpoint = {
        "apiVersion": api,
        "kind": "WebhookEndpoint",
        "metadata": {"name": "in"},
        "spec": {"verification": {"keys": keys}},
    }
    subscriptions = [
        {
            "apiVersion": api,
            "kind": "WebhookSubscription",
            "metadata": {"name": f"s{target}"},
            "spec": {
                "endpointRefs": [{"name": "in"}],
                "target": {"url": f"{url}/{target}"},
                "delivery": {
                    "maxInFlight": IN_FLIGHT,
                    "retry": {"schedule": SCHEDULE},
                    "circuit": {"failures": 10, "probeEvery": "200ms", "probeAtMostEvery": "1s"},
                    "disableAfter": "0s",
                },
            },
        }
        for target in range(TARGETS)
    ]
    return {"apiVersion": "v1", "kind": "List", "items": [secret, endpoint, *subscriptions]}


def _status(seen: Received, chance: random.Random) -> int:
    """Known by its path afterwards: what was refused says so in its headers."""
    refuse = int(seen.path[1:]) in FLAKY and chance.random() < 0.3
    seen.headers["answer"] = "503" if refuse else "200"
    return 503 if refuse else 200


def _account(seen: Observed, received: list[Received]) -> Account:
    numbers = range(max(seen.statuses, default=-1) + 1)
    log = {
        "first": 0,
        "status": [seen.statuses.get(number, 0) for number in numbers],
        "sent": [1 for _ in numbers],
    }
    arrivals: dict[str, list[Any]] = {
        "target": [int(x.path[1:]) for x in received],
        "number": [json.loads(x.body)["n"] for x in received],
        "at": [int(x.at * 1e9) for x in received],
        "good": [x.headers["answer"] == "200" for x in received],
        "id": [x.event for x in received],
    }
    return settle(log, arrivals, sorted(seen.kills), TARGETS, IN_FLIGHT * TARGETS)


def text(account: Account, seen: Observed) -> str:
    """The ledger for people."""
    lines = [(name, f"{count} times") for name, count in seen.faults.most_common()]
    back, most = sorted(seen.back), max(account.duplicates, default=0)
    lines += [
        ("events sent", f"{account.sent:,}"),
        ("accepted (2xx)", f"{account.accepted:,}"),
        ("delivered", f"{account.delivered:,} to {TARGETS} subscribers"),
        ("lost", f"{len(account.lost):,}"),
        ("refused and tried again", f"{account.retried:,}"),
        ("came twice", f"{sum(account.duplicates):,}, at most {most} a fault"),
        ("bound of a fault", f"{account.bound} (maxInFlight {IN_FLIGHT} × {TARGETS})"),
        ("came twice, no fault between", f"{len(account.unexplained):,}"),
        ("webhook-id changed", f"{len(account.renamed):,}"),
        ("answers", ", ".join(f"{x or 'none'}: {n:,}" for x, n in sorted(seen.answers.items()))),
        ("slowest 503", f"{seen.slowest_refusal:.2f} s"),
    ]
    if back:
        middle = back[len(back) // 2]
        lines.append(("accepted again after an outage", f"{middle:.2f} s, at most {back[-1]:.2f}"))
    lines.append(("verdict", ", ".join(account.flaws) or "every promise was kept"))
    lines += [("in the logs", f"{count} × {line}") for line, count in seen.errors.most_common(8)]
    width = max(len(name) for name, _ in lines)
    return "".join(f"{name:<{width}}  {value}\n" for name, value in lines)


@click.command()
@click.option("--kills", type=click.IntRange(0, 1000), default=100, show_default=True)
@click.option("--others", type=click.IntRange(0, 1000), default=21, show_default=True)
@click.option("--rate", type=float, default=100.0, show_default=True, help="Events a second.")
@click.option("--seed", type=int, default=1, show_default=True)
def main(**given: Any) -> None:
    """Break it in every way, and account for every event."""
    with tempfile.TemporaryDirectory(prefix="hookplane-ledger-") as folder:
        account, seen = asyncio.run(measure(Run(**given), Path(folder)))
    sys.stdout.write(text(account, seen))
    sys.exit(1 if account.flaws else 0)


if __name__ == "__main__":
    main()
