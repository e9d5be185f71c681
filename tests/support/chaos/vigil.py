"""What must hold at every moment, also while things are broken: no operator ends, none grows, none
fills its log with one cause, and no status says True of what is not in force."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from support.chaos.api import AdminApi, Declined
from support.chaos.seen import name_of
from support.chaos.world import Replica, World
from support.kubernetes.kubectl import is_ready

LOOK_SECONDS: Final = 1.0
MOST_MEMORY: Final = 400 << 20
"""Bytes that an operator with so few objects may hold."""
MOST_LINES: Final = 60
"""Lines in a log within a minute that differ in names and numbers alone."""
TICKS: Final = os.sysconf("SC_CLK_TCK")
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_VARIES: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|'[^']*'|\"[^\"]*\"|\d+")
MINUTE: Final = 60.0


def cause_of(line: str) -> str:
    """A line without what differs from one occurrence to the next."""
    return _VARIES.sub("#", line.strip())[:120]


class Log:
    """The lines of one replica, by their causes and the minute in which they were read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 0
        self._minute = 0
        self._causes: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        """Cause → the most lines within a minute."""

    def read(self, now: float) -> None:
        if int(now // MINUTE) != self._minute:
            self._minute = int(now // MINUTE)
            self._causes.clear()
        for line in self._new():
            cause = cause_of(line)
            self._causes[cause] += 1
            self.most[cause] = max(self.most[cause], self._causes[cause])

    def _new(self) -> list[str]:
        with self._path.open(errors="replace") as opened:
            opened.seek(self._place)
            lines = opened.readlines()
            self._place = opened.tell()
        return lines

    def too_loud(self) -> dict[str, int]:
        return {cause: count for cause, count in self.most.items() if count > MOST_LINES}


class Vigil:
    """Looks all the time, in a thread of its own; `found` is what did not hold."""

    def __init__(self, world: World, tell: Callable[[str], None]) -> None:
        self._world = world
        self._tell = tell
        self._api = AdminApi(world.plane)
        self._logs = {x.name: Log(x.process.log) for x in world.replicas}
        self._cpu: Counter[int] = Counter()
        """Process → seconds of a processor that it had used when it was last seen."""
        self._leader = ""
        self.most_memory = 0
        self._chance = random.Random(0)
        self._begun = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Vigil:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(30)

    @property
    def cpu_share(self) -> float:
        """Of a processor, by an operator, over the whole run."""
        return (
            sum(self._cpu.values()) / (time.monotonic() - self._begun) / len(self._world.replicas)
        )

    def loudest(self) -> list[tuple[int, str]]:
        """Lines within a minute, and their cause."""
        most: Counter[str] = Counter()
        for log in self._logs.values():
            most |= log.most
        return [(count, cause) for cause, count in most.most_common(5)]

    def tell_loud(self) -> None:
        for name, log in self._logs.items():
            for cause, count in log.too_loud().items():
                self._tell(f"{name} logged {count} lines within a minute like: {cause}")

    def _run(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            for replica in self._world.replicas:
                self._look(replica)
            self._follow_the_lead()
            with suppress(Declined, OSError):
                self._doubt_a_status()

    def _look(self, replica: Replica) -> None:
        self._logs[replica.name].read(time.monotonic())
        if replica.is_ours_to_end:
            return
        code = replica.process.exit_code
        if code is not None and not replica.is_ours_to_end:
            last = replica.process.output().strip().splitlines()[-1:]
            self._tell(f"{replica.name} ended with {code}: {last}")
            replica.start()
            return
        with suppress(OSError):
            self._measure(replica.process.pid)

    def _measure(self, pid: int) -> None:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        self._cpu[pid] = max(self._cpu[pid], (int(fields[11]) + int(fields[12])) // TICKS)
        memory = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
        if memory > MOST_MEMORY >= self.most_memory:
            self._tell(f"an operator holds {memory >> 20} MiB")
        self.most_memory = max(self.most_memory, memory)

    def _follow_the_lead(self) -> None:
        leads = [x.name for x in self._world.replicas if not x.is_ours_to_end and x.leads()]
        if len(leads) == 1 and leads[0] != self._leader:
            self._world.counts["lead changes"] += bool(self._leader)
            self._leader = leads[0]

    def _doubt_a_status(self) -> None:
        """A suspended endpoint that is Ready as it is now takes nothing."""
        names = self._suspended()
        if not names or self._world.statuses_are_old:
            return
        namespace, name = self._chance.choice(names)
        key = self._world.traffic.keys.get((namespace, name), "")
        status = self._world.traffic.post((namespace, name), key) if key else 0
        found = self._api.find("WebhookEndpoint", namespace, name)
        still = found is not None and is_ready(found) and found["spec"].get("suspend")
        if status in range(200, 300) and still and not self._world.statuses_are_old:
            self._tell(f"{namespace}/{name} is suspended and Ready, and answers {status}")

    def _suspended(self) -> list[tuple[str, str]]:
        ready = [x for x in self._api.list("WebhookEndpoint") if is_ready(x)]
        return [name_of(x) for x in ready if x["spec"].get("suspend")]
