"""An account of every event that was accepted while something broke."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from support.clocks.blocking import until
from support.node.tenant import Tenant

RATE: Final = 40
"""Events a second."""
MOST_SECONDS: Final = 300
"""A load ends by itself after so long."""
ENOUGH: Final = 80
"""Events that are accepted before the fault and again after it."""
PATIENCE: Final = 240.0


@dataclass
class Ledger:
    """What became of the events of one run."""

    fault: str
    accepted: int
    lost: int
    """Accepted and never delivered."""
    twice: int
    """Delivered more than once."""
    renamed: int
    """Of these, with another webhook-id than before."""
    failures: dict[str, int] = field(default_factory=dict)
    """Requests that were not answered 2xx, by answer or error; their events were sent again."""

    def line(self) -> str:
        failed = ", ".join(f"{n} x {what}" for what, n in sorted(self.failures.items())) or "none"
        return (
            f"{self.fault:<44} accepted {self.accepted:>6}   lost {self.lost:>3}   "
            f"twice {self.twice:>4}   failed requests: {failed}"
        )


def ledger_of(fault: str, sender: Tenant, act: Callable[[], object]) -> Ledger:
    """Breaks something by `act` while events come, and accounts for all of them when it is over.

    The tenant has a sender and a subscriber; `act` returns when what it broke is whole again."""
    sender.ask("sender", f"start?rate={RATE}&seconds={MOST_SECONDS}")
    _await_accepted(sender, ENOUGH)
    act()
    _await_accepted(sender, len(_report(sender)["accepted"]) + ENOUGH)
    sender.ask("sender", "stop")
    until(lambda: not _report(sender)["running"], "the last events to be accepted", PATIENCE)
    return account(fault, sender)


def account(fault: str, sender: Tenant) -> Ledger:
    """When all is delivered, or is not any more expected to be."""
    report = _report(sender)
    accepted: set[str] = set(report["accepted"])
    assert report["sent"] == len(accepted), "an event was given up"
    lost = _lost(sender, accepted)
    arrived = _arrived(sender)
    twice = sum(1 for event in accepted - lost if sum(arrived[event].values()) > 1)
    renamed = sum(1 for event in accepted - lost if len(arrived[event]) > 1)
    return Ledger(fault, len(accepted), len(lost), twice, renamed, report["failures"])


def _lost(sender: Tenant, accepted: set[str]) -> set[str]:
    """What has not arrived after all patience."""
    try:
        until(lambda: accepted <= _arrived(sender).keys(), "all deliveries", PATIENCE)
    except AssertionError:
        return accepted - _arrived(sender).keys()
    return set()


def _await_accepted(sender: Tenant, count: int) -> None:
    until(lambda: len(_report(sender)["accepted"]) >= count, f"{count} accepted events", PATIENCE)


def _report(sender: Tenant) -> dict[str, Any]:
    found: dict[str, Any] = sender.ask("sender", "report")
    return found


def _arrived(sender: Tenant) -> dict[str, dict[str, int]]:
    """Id of the event at its sender → webhook-id → how often it was delivered."""
    found: dict[str, dict[str, int]] = sender.ask("subscriber", "events")
    return found
