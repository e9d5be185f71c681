"""A backlog that waits in the store is delivered as fast as may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from benchmarks.bench import PATIENCE, Bench, Engine
from benchmarks.manifests import subscription
from benchmarks.rows import Figure, overworked
from benchmarks.targets import Targets

_names = count(1)


@dataclass(frozen=True, slots=True)
class Drained:
    """Deliveries a second over all targets that were waited for, and CPU for each delivery."""

    rate: Figure
    micros: Figure


def fill(bench: Bench, system: Engine, endpoint: str, events: int) -> None:
    """Stores a backlog. Raises RuntimeError when not everything was accepted."""
    loaded = bench.load(system.endpoint(endpoint), events, seconds=PATIENCE)
    if loaded.accepted != events:
        raise RuntimeError(f"{loaded.accepted} of {events} events were accepted")


def drain(
    system: Engine,
    targets: Targets,
    endpoint: str,
    events: int,
    waited_for: Sequence[int],
    **options: Any,
) -> Drained:
    """New subscriptions, one for each target, that start with the earliest event; the rate is
    that of the steady part. `options`: see `manifests.subscription`."""
    name = f"drain-{next(_names)}"
    targets.begin()
    before = system.usage().cpu
    system.apply(
        name,
        *(
            subscription(f"{name}-{place}", endpoint, url, earliest=True, **options)
            for place, url in enumerate(targets.urls)
        ),
    )
    complete = targets.wait(events * len(waited_for), PATIENCE)
    taken = targets.taken(waited_for)
    cpu = system.usage().cpu - before
    system.remove(name)
    late = "" if complete else f"not all was delivered within {PATIENCE:g} s"
    void = late or overworked(sink=targets.cpu() / max(taken.seconds, 1e-9))
    return Drained(Figure(taken.rate, void), Figure(cpu / max(taken.count, 1) * 1e6, void))
