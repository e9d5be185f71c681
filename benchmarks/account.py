"""The ledger of a run with kills: what was promised, what came, and what came twice and why."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

Key = tuple[int, int]
"""Target and number of an event."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as a target saw it."""

    at: int
    """Nanoseconds, monotonic."""
    good: bool
    """Answered 2xx."""
    event: str
    """Its webhook-id."""


@dataclass(frozen=True, slots=True)
class Account:
    """Everything about one run."""

    sent: int
    accepted: int
    """Events that were answered 2xx."""
    rescued: int
    """Deliveries of events whose answer the kill cut off: stored all the same."""
    delivered: int
    """Deliveries of accepted events, each counted once."""
    retried: int
    """Arrivals that the target refused."""
    lost: list[Key]
    """Accepted, and not delivered to this target."""
    duplicates: list[int]
    """For each kill: deliveries that were answered 2xx just before it and came again after it."""
    unexplained: list[Key]
    """Came again though no kill lay between."""
    renamed: list[Key]
    """Arrived under more than one webhook-id."""
    bound: int
    """What one kill may make come twice: maxInFlight of each subscription."""

    @property
    def over_bound(self) -> list[int]:
        """Kills (from 0) with more duplicates than their bound."""
        return [kill for kill, times in enumerate(self.duplicates) if times > self.bound]

    @property
    def flaws(self) -> list[str]:
        """What must not be; empty when every promise was kept."""
        found = {
            "accepted events lost": len(self.lost),
            "duplicates that no kill explains": len(self.unexplained),
            "deliveries with a changed webhook-id": len(self.renamed),
            "kills with more duplicates than were in flight": len(self.over_bound),
        }
        return [f"{count} {what}" for what, count in found.items() if count]

    def as_json(self) -> dict[str, Any]:
        return {
            "sent": self.sent,
            "accepted": self.accepted,
            "delivered": self.delivered,
            "rescued": self.rescued,
            "retried": self.retried,
            "lost": self.lost,
            "kills": len(self.duplicates),
            "duplicates": self.duplicates,
            "boundOfAKill": self.bound,
            "unexplained": self.unexplained,
            "renamed": self.renamed,
            "flaws": self.flaws,
        }


@dataclass(slots=True)
class _Found:
    duplicates: Counter[int] = field(default_factory=Counter)
    unexplained: list[Key] = field(default_factory=list)


def settle(
    log: dict[str, Any],
    arrivals: dict[str, list[Any]],
    kills: Sequence[int],
    targets: int,
    bound: int,
) -> Account:
    """`log` and `arrivals`: columns of the generator and of the sink; `kills`: nanoseconds."""
    accepted = {log["first"] + at for at, status in enumerate(log["status"]) if _good(status)}
    came = _by_key(arrivals)
    delivered = {key for key, seen in came.items() if any(one.good for one in seen)}
    found = _Found()
    for key, seen in came.items():
        _twice(key, seen, kills, found)
    return Account(
        sent=sum(1 for at in log["sent"] if at),
        accepted=len(accepted),
        rescued=sum(1 for _, number in delivered if number not in accepted),
        delivered=sum(1 for _, number in delivered if number in accepted),
        retried=sum(1 for good in arrivals["good"] if not good),
        lost=sorted(set(_wanted(accepted, targets)) - delivered),
        duplicates=[found.duplicates[kill] for kill in range(len(kills))],
        unexplained=found.unexplained,
        renamed=[key for key, seen in came.items() if len({one.event for one in seen}) > 1],
        bound=bound,
    )


def _good(status: int) -> bool:
    return 200 <= status < 300


def _wanted(accepted: set[int], targets: int) -> Iterator[Key]:
    return ((target, number) for number in accepted for target in range(targets))


def _by_key(arrivals: dict[str, list[Any]]) -> dict[Key, list[Arrival]]:
    came: dict[Key, list[Arrival]] = {}
    names = ("target", "number", "at", "good", "id")
    for target, number, at, good, event in zip(*(arrivals[name] for name in names), strict=True):
        came.setdefault((target, number), []).append(Arrival(at, bool(good), event))
    return came


def _twice(key: Key, seen: Sequence[Arrival], kills: Sequence[int], found: _Found) -> None:
    """Charges what came after a success to the kill that kept the success from being written down:
    the first one after it. It counts once, though the target may refuse it and get it again."""
    done, charged = -1, -1
    for arrival in sorted(seen, key=lambda one: one.at):
        if done >= 0:
            kill = bisect_left(kills, done)
            if kill >= len(kills) or kills[kill] > arrival.at:
                found.unexplained.append(key)
            elif kill != charged:
                found.duplicates[kill] += 1
                charged = kill
        if arrival.good:
            done = arrival.at
