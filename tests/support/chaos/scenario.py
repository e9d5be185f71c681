"""The course of a run: round after round something breaks and is mended, and then all must be true;
at the end every accepted event is accounted for."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Final

from support.chaos import networks
from support.chaos.actions import ACTIONS
from support.chaos.api import Declined
from support.chaos.leads import Turns
from support.chaos.oracle import violations
from support.chaos.plan import Round, draw_round
from support.chaos.report import Mended, Report
from support.chaos.seen import Seen, is_going, look, name_of
from support.chaos.tenants import TENANTS
from support.chaos.traffic import Name, Reader
from support.chaos.users import populate
from support.chaos.vigil import Vigil
from support.chaos.world import REPLICAS, World
from support.kubernetes.kubectl import is_ready

PATIENCE: Final = 150.0
"""Seconds after which what is not true counts as broken; a silent watch may take 70."""
LOOK_SECONDS: Final = 1.0
SHOWN: Final = 6
MOST_CPU: Final = 0.9
STARTED: Final = frozenset({"operators started"})
EXPIRED: Final = "select uid, expired + dead from hookplane.subscription where expired + dead > 0"


@dataclass(frozen=True)
class Course:
    """What is to be run."""

    seed: int
    minutes: float
    only: tuple[int, ...] = ()
    """Rounds; empty: all for which there is time."""
    without: Collection[str] = ()
    longest: float = 75.0

    def rounds(self) -> Iterable[Round]:
        numbers = self.only or range(10_000)
        return (draw_round(self.seed, x, self.without, self.longest) for x in numbers)


class Scenario:
    """One run."""

    def __init__(self, world: World, course: Course) -> None:
        self._world = world
        self._course = course
        self._urls: set[Name] = set()
        self._where = f"SEED={course.seed}"
        self.report = Report(course.seed, world.counts)
        self._turns = Turns(world.plane.audit, REPLICAS)
        self._vigil = Vigil(world, self._violated)
        self._end = time.monotonic() + course.minutes * 60

    def run(self) -> Report:
        for tenant in TENANTS:
            populate(self._world, tenant)
        if not self._settle(STARTED):
            return self.report
        self._world.traffic.start()
        self._vigil.start()
        try:
            self._rounds()
            self._account()
        finally:
            self._vigil.stop()
        self._sum_up()
        return self.report

    def _rounds(self) -> None:
        for one in self._course.rounds():
            if time.monotonic() > self._end:
                return
            self._where = f"SEED={self._course.seed} ONLY={one.number}"
            self._show(one)
            self._act(one)
            if not self._settle(one.kinds) and not self._heals_by_restart():
                return

    def _act(self, one: Round) -> None:
        for trouble in one.troubles:
            networks.begin(self._world, trouble.name, random.Random(trouble.seed))
            self._world.counts[f"network: {trouble.name}"] += 1
        for deed in one.deeds:
            self._world.counts[deed.name] += 1
            # who is refused, or asks at a bad moment, goes on
            with suppress(Declined, OSError, AssertionError):
                ACTIONS[deed.name].act(self._world, random.Random(deed.seed))
        time.sleep(one.seconds)
        self._world.mend()

    def _settle(self, kinds: frozenset[str] = frozenset()) -> bool:
        """Whether all came true."""
        begun, wrong = time.monotonic(), ["nothing could be read"]
        while wrong and time.monotonic() - begun < PATIENCE:
            with suppress(Declined, OSError):
                seen = look(self._world, self._urls)
                wrong = violations(seen)
                if not wrong:
                    self._is_true(seen, Mended(kinds, time.monotonic() - begun))
            time.sleep(LOOK_SECONDS if wrong else 0)
        for what in islice(wrong, SHOWN):
            self._violated(f"after {PATIENCE:.0f} s {what}")
        return not wrong

    def _is_true(self, seen: Seen, mended: Mended) -> None:
        world = self._world
        world.statuses_are_old = False
        world.traffic.account.certain = certain(seen)
        self.report.mended.append(mended)
        for what in self._turns.broken(world.lease_touched):
            self._violated(what)

    def _heals_by_restart(self) -> bool:
        """Whether operators that know nothing get it right; else there is no use in going on."""
        for replica in self._world.replicas:
            replica.kill()
            replica.start()
        healed = self._settle(STARTED)
        self.report.notes.append(
            f"{self._where}: a restart {'heals' if healed else 'does not heal'} it"
        )
        return healed

    def _account(self) -> None:
        """Everything that was promised has come, or is counted."""
        world = self._world
        end = time.monotonic() + PATIENCE
        world.traffic.stop()
        while (missing := self._missing()) and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        for reader, events in missing.items():
            self._violated(f"{len(events)} events of {reader} are lost: {sorted(events)[:5]}")

    def _missing(self) -> dict[Reader, set[str]]:
        """What is neither there nor counted as expired or dead."""
        world = self._world
        subscriptions = {
            _reader(x, self._spaces()): x for x in world.api.list("WebhookSubscription")
        }
        counted = {uid: int(count) for uid, count in world.sql(EXPIRED)}
        missing = world.traffic.account.missing(list(world.subscriber.arrivals), subscriptions)
        excused = {x: counted.get(subscriptions[x]["metadata"]["uid"], 0) for x in missing}
        return {x: events for x, events in missing.items() if len(events) > excused[x]}

    def _spaces(self) -> dict[str, str]:
        spaces = [x["metadata"] for x in self._world.api.list("Namespace")]
        return {x["name"]: x["uid"] for x in spaces}

    def _sum_up(self) -> None:
        account, vigil = self._world.traffic.account, self._vigil
        self._where = f"SEED={self._course.seed}"
        vigil.tell_loud()
        if vigil.cpu_share > MOST_CPU:
            self._violated(f"an operator used {vigil.cpu_share:.0%} of a processor")
        self.report.counts["events accepted"] = len(account.accepted)
        self.report.counts["deliveries owed"] = sum(len(x.owed) for x in account.accepted.values())
        self.report.notes += [
            f"an operator: {vigil.cpu_share:.0%} of a processor, {vigil.most_memory >> 20} MiB",
            *(f"at most {count} lines a minute: {cause}" for count, cause in vigil.loudest()),
        ]

    def _violated(self, what: str) -> None:
        print(f"VIOLATED {self._where}: {what}", flush=True)
        self.report.violated(what, self._where)

    def _show(self, one: Round) -> None:
        deeds = ", ".join(x.name for x in (*one.troubles, *one.deeds))
        took = self.report.mended[-1].seconds if self.report.mended else 0.0
        print(f"(true after {took:.1f} s) {one.number}: {deeds}; {one.seconds:.0f} s", flush=True)


def certain(seen: Seen) -> dict[Reader, frozenset[Name]]:
    """Subscriptions in force, and the endpoints that they read."""
    found: dict[Reader, frozenset[Name]] = {}
    for one in seen.subscriptions:
        namespace = one["metadata"]["namespace"]
        if is_ready(one) and not is_going(one) and namespace in seen.namespaces:
            read = frozenset((namespace, x["name"]) for x in one["spec"]["endpointRefs"])
            found[seen.namespaces[namespace], name_of(one)[1]] = read
    return found


def _reader(one: dict[str, object], spaces: dict[str, str]) -> Reader:
    namespace, name = name_of(one)
    return spaces.get(namespace, ""), name
