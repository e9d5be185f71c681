"""Runs of seeds. The same seed of the same commit does the same again, in every process that has
PYTHONHASHSEED=0."""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from support.simulation.account import Violated
from support.simulation.processes import NumberedTask, SimulationLoop
from support.simulation.scenario import Scenario
from support.simulation.world import SQLITE, SimulationWorld

MEMORY: Final = Path("/dev/shm")


@dataclass(frozen=True)
class Ran:
    """What came of a seed."""

    seed: int
    violation: str
    """Empty: every promise was kept."""
    places: tuple[int, ...]
    """The actions of its plan that were carried out."""
    counts: Counter[str]


def run_seed(seed: int, places: Sequence[int] | None = None, driver: str = SQLITE) -> Ran:
    """Runs a seed; `places`: only these of its actions. `driver`: of the store."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    NumberedTask.reset()
    loop = SimulationLoop()
    loop.set_exception_handler(lambda _loop, _context: None)
    try:
        return loop.run_until_complete(_run(loop, folder, Scenario(seed), places, driver))
    finally:
        loop.close()
        shutil.rmtree(folder, ignore_errors=True)


async def _run(
    loop: SimulationLoop,
    folder: Path,
    scenario: Scenario,
    places: Sequence[int] | None,
    driver: str,
) -> Ran:
    world = SimulationWorld(loop, folder, scenario.seed, scenario.rows, driver)
    await world.open()
    chosen = tuple(range(len(scenario.plan)) if places is None else places)
    violation = ""
    try:
        await scenario.run(world, chosen)
    except Violated as error:
        violation = str(error)
    except Exception:  # a fault of the simulation, or of the product where nothing may fail
        violation = traceback.format_exc()
    world.counts["most retrying"] = world.account.most_retrying
    world.counts["steps"] = loop.steps
    world.counts["virtual seconds"] = round(loop.time())
    await world.close()
    return Ran(scenario.seed, violation, chosen, world.counts)


def run_seeds(seeds: range, jobs: int, seconds: float, driver: str) -> Iterator[Ran]:
    """In several processes, as long as there is time: what is under way then is dropped."""
    end = time.monotonic() + seconds
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        results = pool.imap_unordered(partial(run_seed, driver=driver), seeds)
        while True:
            try:
                yield results.next(timeout=end - time.monotonic())
            except (StopIteration, multiprocessing.TimeoutError):
                return
