"""`python -m benchmarks.operator`: the operator with thousands of objects, on a real API server and
a real PostgreSQL. Prints one table."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import click
import orjson

from benchmarks.apiserver import ApiServer, Audit, connected, most_in_a_second
from benchmarks.bench import tell
from benchmarks.machine import Usage, allow_many_files, usage
from benchmarks.report import as_json, table
from benchmarks.rows import Figure, Goal, Row
from hookplane_operator.status.budget import MOST
from support.clocks.blocking import until
from support.http.subscriber import Target, target
from support.kubernetes.installation import Installation, installation, reachable_address
from support.kubernetes.kubectl import condition
from support.kubernetes.manifests import endpoint, post, service, subscription

PATIENCE: Final = 3_600.0
QUIET_SECONDS: Final = 5.0
QUIET_SHARE: Final = 0.15
"""Of a core: less, for so long, is the end of a start."""
_LOOK_SECONDS: Final = 0.01
_MB: Final = 1 << 20
_NEWEST: Final = "select config_version from hookplane.store"
_VERSION: Final = "select version from hookplane.config where uid = $1"
_APPLIED: Final = "select min(version) from hookplane.process where not ended"
_MISSING: Final = (
    "select s.config_version > min(p.version) or (select count(*) from hookplane.config"
    " where document is not null) < {} from hookplane.store s, hookplane.process p"
    " where not p.ended group by s.config_version"
)


@dataclass(frozen=True, slots=True)
class Run:
    """How much of everything."""

    pairs: int = 5_000
    """Endpoints, and as many subscriptions."""
    changes: int = 100
    rest_seconds: float = 60.0
    failures: int = 5
    """Targets that break, one after the other."""
    services: int = 0
    """So many of the subscriptions deliver to Services, each to one of its own."""


def measure(run: Run, folder: Path) -> list[Row]:
    """`folder`: for logs and the like. Raises AssertionError when something does not come."""
    with target(reachable_address()) as subscriber, installation(folder) as place:
        place.kubectl.until("whg", "default", _is_ready)
        bench = _Bench(run, place, subscriber)
        return [
            *bench.creation(),
            *bench.restart(),
            *bench.rest(),
            *bench.changes(),
            *bench.restart_with_a_change(),
            *bench.failures(),
        ]


class _Bench:
    """One installation with its objects."""

    def __init__(self, run: Run, place: Installation, subscriber: Target) -> None:
        self._run = run
        self._place = place
        self._subscriber = subscriber
        self._count = 2 * run.pairs
        to_services = f" ({run.services:,} to Services)" if run.services else ""
        self._many = f"{self._count:,} objects{to_services}"

    def creation(self) -> list[Row]:
        """Objects are there before the operator starts."""
        tell(f"creating {self._many}")
        place = self._place
        place.operator.stop()
        asyncio.run(self._create())
        tell("starting the operator")
        audit = Audit(place.plane, place.namespace)
        begin = time.monotonic()
        place.operator.start()
        statement = _MISSING.format(self._count)
        until(lambda: place.sql(statement) == "f", "everything in force", PATIENCE)
        in_force = time.monotonic() - begin
        tell(f"in force after {in_force:.1f} s; waiting for the statuses")
        until(self._is_told, "all statuses", PATIENCE)
        told = time.monotonic() - begin
        statuses = audit.statuses()
        lost = place.operator.output().count("does not lead any more")
        last = self._pid_usage()
        return [
            self._row("start → all in force", "s", in_force),
            self._row("start → all statuses told", "s", told),
            self._row("CPU until then", "s", last.cpu),
            self._row("status writes for each object", "", len(statuses) / self._count, 1.2),
            self._row("most status writes in a second", "", most_in_a_second(statuses), 2 * MOST),
            self._row("times that the lead was lost", "", lost, 0),
        ]

    def restart(self) -> list[Row]:
        """Nothing has changed."""
        tell("restarting it")
        place = self._place
        place.operator.stop()
        audit = Audit(place.plane, place.namespace)
        begin = time.monotonic()
        place.operator.start()
        ready = time.monotonic() - begin
        quiet = self._until_quiet(begin)
        used = self._pid_usage()
        return [
            self._row("restart, nothing changed → caches filled", "s", ready),
            self._row("restart → at rest", "s", quiet),
            self._row("restart, CPU", "s", used.cpu),
            self._row("restart, writes to the API server", "", len(audit.writes()), 0),
            self._row("memory after a restart", "MB", used.resident / _MB),
            self._row("memory at most", "MB", used.most_resident / _MB),
        ]

    def rest(self) -> list[Row]:
        tell("at rest")
        before, begin = self._pid_usage().cpu, time.monotonic()
        time.sleep(self._run.rest_seconds)
        share = (self._pid_usage().cpu - before) / (time.monotonic() - begin)
        return [self._row("CPU at rest", "% of a core", 100 * share, 2)]

    def changes(self) -> list[Row]:
        tell("changing subscriptions")
        waits = sorted(asyncio.run(self._change_all()))
        last = waits[min(len(waits) - 1, int(len(waits) * 0.99))]
        return [
            self._row("change → in force, p50", "s", waits[len(waits) // 2]),
            self._row("change → in force, p99", "s", last, 2),
            self._row("change → in force, slowest", "s", waits[-1]),
        ]

    def restart_with_a_change(self) -> list[Row]:
        tell("restarting it with a change")
        self._place.operator.stop()
        waited = asyncio.run(self._change_while_away())
        self._until_quiet(time.monotonic())
        return [self._row("restart → a change made meanwhile in force", "s", waited)]

    def failures(self) -> list[Row]:
        tell("breaking targets")
        waits = sorted(self._break(f"pair-{number}") for number in range(self._run.failures))
        return [self._row("target breaks → kubectl get says so, slowest", "s", waits[-1], 10)]

    # --------------------------------------------------------------------------------------------

    def _row(self, name: str, unit: str, value: float, most: float | None = None) -> Row:
        goal = None if most is None else Goal("figure", "≤", most)
        return Row(f"{self._many}: {name}", unit, (Figure(value),), goal=goal)

    def _objects(self) -> Iterator[dict[str, Any]]:
        names = [f"pair-{number}" for number in range(self._run.pairs)]
        yield from map(endpoint, names)
        for name in names[self._run.pairs - self._run.services :]:
            yield service(name)
            to_service = {"target": {"serviceRef": {"name": name, "port": 80}}}
            yield subscription(name, [name], "", **to_service)
        for name in names[: self._run.pairs - self._run.services]:
            retry = {"delivery": {"retry": {"schedule": ["1s"] * 20}}}
            yield subscription(name, [name], f"{self._subscriber.url}/{name}", **retry)

    async def _create(self) -> None:
        async with connected(self._place.plane, self._place.namespace) as api:
            await api.create(self._objects())

    def _pid_usage(self) -> Usage:
        return usage(self._place.operator.pid)

    def _is_told(self) -> bool:
        """A status of an object that was just written may be on its way: look twice."""
        time.sleep(1.0)
        metrics = self._place.operator.metrics()
        written = metrics["hookplane_operator_status_writes_total"]
        return written >= self._count and metrics["hookplane_operator_status_waiting"] == 0

    def _until_quiet(self, begin: float) -> float:
        """Seconds from `begin` until it rests."""
        last, before = time.monotonic(), self._pid_usage().cpu
        while time.monotonic() - last < QUIET_SECONDS:
            time.sleep(1.0)
            now = self._pid_usage().cpu
            if now - before > QUIET_SHARE:
                last = time.monotonic()
            before = now
        return last - begin

    async def _change_all(self) -> list[float]:
        server = await asyncpg.connect(self._place.database.dsn())
        try:
            async with connected(self._place.plane, self._place.namespace) as api:
                numbers = range(self._run.changes)
                return [await self._change(api, server, number) for number in numbers]
        finally:
            await server.close()

    async def _change(self, api: ApiServer, server: Any, number: int) -> float:
        """Seconds from the request until every process has applied it."""
        name = f"pair-{number % self._run.pairs}"
        begin = time.monotonic()
        await _patch(api, server, name, 20 + number, lambda: None)
        return time.monotonic() - begin

    async def _change_while_away(self) -> float:
        server = await asyncpg.connect(self._place.database.dsn())
        begun: list[float] = []

        def start() -> None:
            begun.append(time.monotonic())
            self._place.operator.spawn()

        try:
            async with connected(self._place.plane, self._place.namespace) as api:
                await _patch(api, server, "pair-0", 200, start)
            return time.monotonic() - begun[0]
        finally:
            await server.close()

    def _break(self, name: str) -> float:
        place, subscriber = self._place, self._subscriber
        subscriber.status = 503
        path = f"/{name}"
        assert post(place.kubectl, place.pods, name, "m1") in (200, 202, 204)
        until(lambda: any(x.path == path for x in subscriber.arrivals), "an attempt")
        begin = time.monotonic()
        place.kubectl.until("whs", name, lambda x: x["status"].get("state") == "Failing")
        waited = time.monotonic() - begin
        subscriber.status = 200
        return waited


async def _patch(
    api: ApiServer, server: Any, name: str, slots: int, then: Callable[[], object]
) -> None:
    """Returns when every process has applied it; `then` is called when it was accepted."""
    before = await server.fetchval(_NEWEST)
    change = {"spec": {"delivery": {"maxInFlight": slots}}}
    uid = (await api.merge("WebhookSubscription", name, change))["metadata"]["uid"]
    then()
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        version = await server.fetchval(_VERSION, uid)
        if version > before and await server.fetchval(_APPLIED) >= version:
            return
        await asyncio.sleep(_LOOK_SECONDS)
    raise AssertionError(f"{name} did not come into force")


def _is_ready(found: dict[str, Any]) -> bool:
    return condition(found, "Ready").get("status") == "True"


@click.command()
@click.option("--pairs", default=5_000, show_default=True, help="Endpoints + subscriptions.")
@click.option("--changes", default=100, show_default=True)
@click.option("--services", default=0, show_default=True, help="Subscriptions to Services.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write it as JSON as well.")
def main(pairs: int, changes: int, services: int, file: Path | None) -> None:
    """Measure the operator."""
    run = Run(pairs, changes, services=services)
    if services > pairs - run.failures:
        raise click.BadParameter(f"{run.failures} targets are to break: so many need a URL")
    allow_many_files()
    facts = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}",
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }
    with tempfile.TemporaryDirectory(prefix="hookplane-operator-") as folder:
        rows = measure(run, Path(folder))
    facts["load after"] = " ".join(f"{load:.2f}" for load in os.getloadavg())
    sys.stdout.write("\n".join(f"{name}: {value}" for name, value in facts.items()) + "\n\n")
    sys.stdout.write(table(rows))
    if file is not None:
        file.write_bytes(orjson.dumps(as_json(facts, rows), option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    main()
