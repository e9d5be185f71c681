"""Why a subscription does not send now what it has yet to send, and what to do about it.

Works on a subscription as the admin API shows it. One of an older version shows no limits; then
nothing is said about them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from hookplane.clock import Millis
from hookplane.units import parse_time
from hookplane_cli.human import counted, duration, printable, short_name

Shown = Mapping[str, Any]
"""A subscription as the admin API shows it."""


class Wait(NamedTuple):
    """What keeps deliveries waiting."""

    kind: str
    """A state or a field; who tells it again only when it changes compares this."""
    why: str
    """Goes on after the subscription's name."""
    remedy: str
    """What to do, or what comes by itself."""
    retries_too: bool = True
    """Whether it keeps a retry that is due, and not only what was never sent."""

    def told(self, one: Shown) -> str:
        """`shop is Disabled; hookplane resume shop`."""
        return printable(f"{_name(one)} {self.why}; {self.remedy}", limit=500)


def stopped(one: Shown, now: Millis) -> Wait | None:
    """What keeps all of it back; None: nothing does."""
    if not one["ready"]:
        return Wait("NotReady", "is not ready", f"mend this: {one['message']}")
    tell = _STOPPED.get(one["state"] or "")
    return tell(one) if tell else _paused(one, now)


def slowed(one: Shown, now: Millis) -> Wait | None:
    """What lets only some of it go at a time; None: nothing that is known."""
    found = (tell(one, now) for tell in (_in_order, _by_rate, _behind_retries))
    return next((wait for wait in found if wait), None)


def kept_waiting(one: Shown, now: Millis) -> Wait | None:
    """What a job waits for that goes on with nothing."""
    return stopped(one, now) or _failing(one) or slowed(one, now)


def _suspended(_: Shown) -> Wait:
    return Wait("Suspended", "is suspended", "set spec.suspend to false in its manifest")


def _disabled(one: Shown) -> Wait:
    return Wait("Disabled", "is Disabled", f"mend the target, then: {resume(one)}")


def _held(one: Shown) -> Wait:
    delivery = one["delivery"]
    remedy = f"until then, or until spec.{delivery['heldExpression']}.cel is changed"
    return Wait("Held", f"is Held until {delivery['heldUntil']}", remedy)


def _circuit_open(one: Shown) -> Wait:
    probe = one["delivery"]["blockedUntil"]
    when = f", the next probe at {probe}" if probe else ""
    return Wait("CircuitOpen", f"has an open circuit{when}", f"without waiting: {resume(one)}")


_STOPPED: Final[dict[str, Callable[[Shown], Wait]]] = {
    "Suspended": _suspended,
    "Disabled": _disabled,
    "Held": _held,
    "CircuitOpen": _circuit_open,
}


def _paused(one: Shown, now: Millis) -> Wait | None:
    until = one["delivery"]["blockedUntil"]
    if not until or parse_time(until) <= now:
        return None
    why = f"pauses until {until}, as its target asked"
    return Wait("Paused", why, f"without waiting: {resume(one)}")


def _failing(one: Shown) -> Wait | None:
    last = one["delivery"]["lastFailure"]
    if one["state"] != "Failing" or last is None:
        return None
    remedy = f"each is tried again by delivery.retry; last: {last['message'] or last['statusCode']}"
    return Wait("Failing", "is Failing", remedy)


def _in_order(one: Shown, _: Millis) -> Wait | None:
    delivery = one["delivery"]
    if delivery.get("ordering") != "Strict" or not (delivery["pending"] and delivery["retrying"]):
        return None
    why = "sends in order (delivery.ordering: Strict)"
    return Wait("delivery.ordering", why, "what is tried again keeps back what came later", False)


def _by_rate(one: Shown, _: Millis) -> Wait | None:
    delivery = one["delivery"]
    rate = delivery.get("rate")
    if not rate or not delivery["pending"]:
        return None
    most = f"{counted(rate['requests'], 'request')} in {duration(rate['milliseconds'])}"
    why = f"sends at most {most} (delivery.rate)"
    return Wait("delivery.rate", why, f"{delivery['pending']:,} pending")


def _behind_retries(one: Shown, now: Millis) -> Wait | None:
    delivery = one["delivery"]
    due, slots = delivery["nextRetryTime"], delivery.get("maxInFlight")
    if not (slots and due and delivery["pending"]) or parse_time(due) > now:
        return None
    why = f"sends {slots:,} at once (delivery.maxInFlight)"
    return Wait("delivery.maxInFlight", why, "retries that are due go before what is new", False)


def resume(one: Shown) -> str:
    """The command that lets it go on."""
    return f"hookplane resume {_name(one)}"


def _name(one: Shown) -> str:
    return short_name(f"{one['namespace']}/{one['name']}")
