"""`python -m benchmarks.ledger --kills 50`: kills `hookplane run` again and again under load, and
accounts for every event that was accepted.

Exit code 1 when an accepted event was lost, or came twice without having been in flight.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import orjson

from benchmarks.account import Account, settle
from benchmarks.bench import tell
from benchmarks.machine import Placement
from benchmarks.manifests import endpoint, secret, subscription
from benchmarks.program import Program
from benchmarks.system import System
from benchmarks.targets import Targets
from support.cluster.ports import free_port

MODES: Final = ("ok", "flaky")
"""One subscriber takes everything, the other fails a third of the time."""
IN_FLIGHT: Final = 32
SCHEDULE: Final = ["300ms"] * 16 + ["3s"] * 16
"""Pauses between attempts: nothing is given up while the run lasts."""
CIRCUIT: Final = {"failures": 10, "probeEvery": "200ms", "probeAtMostEvery": "1s"}
CYCLE: Final = (0.1, 1.5)
"""Seconds, the shortest and longest between being ready and being killed."""
EARLY: Final = 0.2
"""Share of kills that may come before it is ready."""
EARLIEST: Final = 0.2
"""Seconds from a start to the earliest kill."""
DRAIN_SECONDS: Final = 120.0
_BODY: Final = 256
_LOAD_PER_KILL: Final = 5.0
"""Seconds of load that are prepared for each kill; what is not needed is not sent."""
_LOOK_SECONDS: Final = 0.2
_STRAGGLERS_NS: Final = 300_000_000
"""By then a sink has read what was in its sockets at a kill; a new process needs longer
to send anything."""


@dataclass(frozen=True, slots=True)
class Run:
    """How it is done."""

    kills: int
    rate: float
    seed: int


@click.command()
@click.option("--kills", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--rate", type=float, default=300.0, show_default=True, help="Events a second.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the kills' moments.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(as_json: bool, **given: Any) -> None:
    """Kill it, start it, and account for every event."""
    with tempfile.TemporaryDirectory(prefix="hookplane-ledger-") as folder:
        account = measure(Run(**given), Path(folder))
    sys.stdout.write(orjson.dumps(account.as_json()).decode() + "\n" if as_json else text(account))
    sys.exit(1 if account.flaws else 0)


def measure(run: Run, folder: Path) -> Account:
    """Raises RuntimeError when the system does not start or does not get done."""
    cores = Placement.TOGETHER.measured
    with ExitStack() as stack:
        targets = stack.enter_context(Targets(len(MODES), cores))
        for target, mode in enumerate(MODES):
            targets.behave(target, mode)
        system = stack.enter_context(System(folder, cores, listen=f"127.0.0.1:{free_port()}"))
        system.apply("ledger", secret(), endpoint("in"), *_subscriptions(targets))
        system.start()
        targets.begin()
        load = stack.enter_context(_load(run, system.endpoint("in"), folder / "log.json"))
        load.listen()
        kills = _kill(run, system)
        load.finish()
        load.listen()
        _drain(system)
        arrivals = targets.arrivals(folder)
    log = orjson.loads((folder / "log.json").read_bytes())
    return settle(log, arrivals, kills, len(MODES), IN_FLIGHT * len(MODES))


def _subscriptions(targets: Targets) -> list[dict[str, Any]]:
    return [
        subscription(
            f"to-{mode}",
            "in",
            url,
            maxInFlight=IN_FLIGHT,
            retry={"schedule": SCHEDULE},
            circuit=CIRCUIT,
            disableAfter="0s",
        )
        for mode, url in zip(MODES, targets.urls, strict=True)
    ]


def _load(run: Run, url: str, log: Path) -> Program:
    count = int(run.rate * run.kills * _LOAD_PER_KILL)
    options = {"url": url, "count": count, "rate": run.rate, "size": _BODY, "log": log}
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return Program("benchmarks.loadgen", *arguments, cores=Placement.TOGETHER.measuring)


def _kill(run: Run, system: System) -> list[int]:
    """The moments at which all that it had sent was there, in nanoseconds. It runs again at the
    end."""
    chance, dead = random.Random(run.seed), []
    for number in range(run.kills):
        time.sleep(chance.uniform(*CYCLE))
        system.kill()
        dead.append(time.monotonic_ns() + _STRAGGLERS_NS)
        tell(f"kill {number + 1} of {run.kills}")
        if chance.random() < EARLY and number + 1 < run.kills:
            system.spawn()
            time.sleep(chance.uniform(EARLIEST, 1.0))
        else:
            system.start()
    return dead


def _drain(system: System) -> None:
    """Waits until nothing is left to do. Raises RuntimeError."""
    end = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < end:
        numbers = [one["delivery"] for one in system.subscriptions()]
        left = sum(one[state] for one in numbers for state in ("pending", "sending", "retrying"))
        if not left:
            return
        time.sleep(_LOOK_SECONDS)
    raise RuntimeError(f"not all was delivered within {DRAIN_SECONDS:g} s: {numbers}")


def text(account: Account) -> str:
    """The ledger for people."""
    kills = len(account.duplicates)
    lines = [
        ("kill -9", f"{kills} times"),
        ("events sent", f"{account.sent:,}"),
        ("accepted (2xx)", f"{account.accepted:,}"),
        ("delivered", f"{account.delivered:,} to {len(MODES)} subscribers"),
        ("lost", f"{len(account.lost):,}"),
        ("stored, answer cut off", f"{account.rescued:,} deliveries"),
        ("refused and tried again", f"{account.retried:,}"),
        ("came twice", f"{sum(account.duplicates):,}, at most {max(account.duplicates)} a kill"),
        ("bound of a kill", f"{account.bound} (maxInFlight {IN_FLIGHT} × {len(MODES)})"),
        ("came twice, no kill between", f"{len(account.unexplained):,}"),
        ("webhook-id changed", f"{len(account.renamed):,}"),
        ("verdict", ", ".join(account.flaws) or "every promise was kept"),
    ]
    width = max(len(name) for name, _ in lines)
    return "".join(f"{name:<{width}}  {value}\n" for name, value in lines)


if __name__ == "__main__":
    main()
