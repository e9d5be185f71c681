"""`hookplane status`: is it working, and if not, why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from hookplane.clock import Millis, SystemClock
from hookplane.units import parse_time
from hookplane_cli.client.listing import all_namespaces_option
from hookplane_cli.client.session import Session, client_command
from hookplane_cli.client.table import ago, table
from hookplane_cli.client.waiting import kept_waiting, resume, slowed
from hookplane_cli.human import counted, printable, short_name

SHOWN_REPLAYS: Final = 10
"""The newest so many jobs."""
SHOWN_FINDINGS: Final = 20
"""Problems of the manifests, and as many notes."""
MAX_LINE: Final = 500
REJECTION_IS_NEWS_FOR: Final[Millis] = 86_400_000
"""A rejection that is older gets no line beside requests that are accepted."""


@click.command(name="status")
@all_namespaces_option
@client_command
def command(session: Session, all_namespaces: bool) -> None:
    """Endpoints and subscriptions, as `kubectl get whe,whs` shows them in a cluster, and what is
    wrong with the manifests that `hookplane run` follows."""
    where = {"namespace": None if all_namespaces else session.namespace}
    endpoints = session.client.get("/endpoints", where)["items"]
    subscriptions = session.client.get("/subscriptions", where)["items"]
    replays = session.client.get("/replays", where)["items"]
    manifests = session.client.get("/manifests")
    now = SystemClock().now()
    session.show(
        {
            "endpoints": endpoints,
            "subscriptions": subscriptions,
            "replays": replays,
            "manifests": manifests,
        },
        lambda: "\n\n".join(
            [
                *_tables(endpoints, subscriptions, replays, now, all_namespaces),
                *findings_of(manifests),
            ]
        ),
    )


def _tables(
    endpoints: list[dict[str, Any]],
    subscriptions: list[dict[str, Any]],
    replays: list[dict[str, Any]],
    now: Millis,
    wide: bool,
) -> list[str]:
    shown = [endpoint for endpoint in endpoints if not endpoint["builtin"]]
    parts = [
        _table(("ENDPOINT", *_ENDPOINT_TITLES), [_endpoint(x, now, wide) for x in shown]),
        _table(
            ("SUBSCRIPTION", *_SUBSCRIPTION_TITLES),
            [_subscription(x, now, wide) for x in subscriptions],
        ),
        _replays(replays, subscriptions, now, wide),
        "\n".join([line for x in shown for line in _lines_of_endpoint(x, now)]),
        "\n".join([line for x in subscriptions for line in _lines_of_subscription(x, now)]),
    ]
    return [part for part in parts if part]


def _lines_of_endpoint(one: dict[str, Any], now: Millis) -> list[str]:
    return [line for line in (_reason(one) or last_rejected(one, now),) if line]


def _lines_of_subscription(one: dict[str, Any], now: Millis) -> list[str]:
    lines = (_reason(one), _slowed(one, now), _filter_error(one), dead_of(one), expired_of(one))
    return [line for line in lines if line]


def _replays(
    replays: list[dict[str, Any]], subscriptions: list[dict[str, Any]], now: Millis, wide: bool
) -> str:
    if not replays:
        return ""
    jobs = replays[:SHOWN_REPLAYS]
    lines = [table(("REPLAY", *_REPLAY_TITLES), [_replay(job, now, wide) for job in jobs])]
    if rest := len(replays) - len(jobs):
        lines.append(f"… {counted(rest, 'older replay')}; all of them: hookplane status --json")
    by_name = {_name(one, wide=True): one for one in subscriptions}
    return "\n".join([*lines, *(x for job in jobs if (x := _job_waits(job, by_name, now)))])


def _job_waits(job: dict[str, Any], by_name: Mapping[str, dict[str, Any]], now: Millis) -> str:
    """A line on what a job that runs waits for."""
    one = by_name.get(job["subscription"]) if job["state"] == "Running" else None
    wait = one and kept_waiting(one, now)
    return f"{job['name']} waits: {wait.told(one)}" if one and wait else ""


def findings_of(manifests: Mapping[str, Any]) -> list[str]:
    """What keeps manifests from coming into force, and what is worth knowing of them."""
    found = [printable(manifests["fault"])] if manifests["fault"] else []
    for what, lines, told in (
        ("problem", manifests["problems"], " in the manifests; what has an error stays as it was:"),
        ("note", manifests["notes"], " on the manifests, which are in force:"),
    ):
        if lines:
            found.append("\n".join([counted(len(lines), what) + told, *_some(lines, what)]))
    return found


def _some(texts: list[str], what: str) -> list[str]:
    lines = [f"  {printable(x, MAX_LINE)}" for x in texts[:SHOWN_FINDINGS]]
    rest = len(texts) - len(lines)
    return lines + ([f"  … {counted(rest, f'more {what}')}"] if rest else [])


def _table(titles: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    return table(titles, rows) if rows else f"No {titles[0].lower()}s."


_ENDPOINT_TITLES: Final = (
    "READY",
    "STATE",
    "PROVIDER",
    "ACCEPTED",
    "DUPLICATES",
    "CONFLICTS",
    "REJECTED",
    "LAST EVENT",
    "URL",
)
_SUBSCRIPTION_TITLES: Final = (
    "READY",
    "STATE",
    "DELIVERED",
    "FILTERED",
    "PENDING",
    "RETRYING",
    "DEAD",
    "LAST SUCCESS",
    "NEXT RETRY",
    "TARGET",
)
_REPLAY_TITLES: Final = ("SUBSCRIPTION", "STATE", "MATCHED", "DELIVERED", "FAILED", "AGE")


def _endpoint(endpoint: dict[str, Any], now: Millis, wide: bool) -> tuple[object, ...]:
    requests = endpoint["requests"]
    return (
        _name(endpoint, wide),
        endpoint["ready"],
        endpoint["state"] or "-",
        endpoint["provider"],
        requests["accepted"],
        requests["duplicates"],
        requests["conflicts"],
        requests["rejected"],
        ago(requests["lastAcceptedTime"], now),
        endpoint["url"],
    )


def _subscription(one: dict[str, Any], now: Millis, wide: bool) -> tuple[object, ...]:
    delivery = one["delivery"]
    success = delivery["lastSuccess"]
    return (
        _name(one, wide),
        one["ready"],
        one["state"] or "-",
        delivery["delivered"],
        delivery["filtered"],
        delivery["pending"] + delivery["sending"],
        delivery["retrying"],
        delivery["dead"],
        ago(success and success["time"], now),
        delivery["nextRetryTime"],
        one["target"],
    )


def _replay(job: dict[str, Any], now: Millis, wide: bool) -> tuple[object, ...]:
    return (
        _name(job, wide),
        short_name(job["subscription"]),
        job["state"],
        job["matched"],
        job["delivered"],
        job["failed"],
        ago(job["createdTime"], now),
    )


def _name(one: dict[str, Any], wide: bool) -> str:
    return f"{one['namespace']}/{one['name']}" if wide else str(one["name"])


def _reason(one: dict[str, Any]) -> str:
    """One line on what is not as it should be."""
    tell = _REASONS.get(one["state"] or "")
    told = one["message"] or (tell(one) if tell else "")
    return f"{one['name']}: {printable(told)}" if told else ""


def _filter_error(one: dict[str, Any]) -> str:
    """A line on the last event that a filter could not judge."""
    delivery = one["delivery"]
    if (last := delivery.get("lastFilterError")) is None:
        return ""
    count = counted(delivery["filterErrors"], "event")
    return (
        f"{one['name']}: the filter failed on {count}, last on {last['eventID']} at "
        f"{last['time']}: {printable(last['message'])}"
    )


def last_rejected(endpoint: dict[str, Any], now: Millis) -> str:
    """A line on what was rejected last, also while other requests are accepted."""
    last = endpoint["requests"]["lastRejected"]
    if last is None or now - parse_time(last["time"]) > REJECTION_IS_NEWS_FOR:
        return ""
    return f"{endpoint['name']}: {printable(_rejecting(endpoint))}"


def _slowed(one: dict[str, Any], now: Millis) -> str:
    wait = slowed(one, now) if one["state"] == "Delivering" else None
    return f"{one['name']}: {wait.why}; {wait.remedy}" if wait else ""


def dead_of(one: dict[str, Any]) -> str:
    """A line on what is not tried any more: why, and the commands that show it and replay it."""
    delivery, name = one["delivery"], short_name(_name(one, wide=True))
    if not delivery["dead"]:
        return ""
    failures = [x for x in one["recentFailures"] if x["state"] == "dead"]
    why = f", the last: {printable(_outcome(failures[0]))}" if failures else ""
    return (
        f"{one['name']}: {delivery['dead']:,} dead{why}; "
        f"hookplane deliveries {name} --state dead; hookplane replay {name} --since 168h"
    )


def expired_of(one: dict[str, Any]) -> str:
    """A line on what was not delivered before it went."""
    expired = one["delivery"]["expired"]
    if not expired:
        return ""
    return f"{one['name']}: {counted(expired, 'event')} expired before delivery"


def _rejecting(endpoint: dict[str, Any]) -> str:
    last = endpoint["requests"]["lastRejected"]
    return f"last rejected {last['time']}: {last['message'] or last['reason']}"


def _failing(subscription: dict[str, Any]) -> str:
    last = subscription["delivery"]["lastFailure"]
    if last is None:
        return ""
    which = f"attempt {last['attempt']}" if last["attempt"] else "a probe"
    return f"last failure {last['time']}, {which}: {_outcome(last)}"


def _circuit_open(subscription: dict[str, Any]) -> str:
    next_probe = subscription["delivery"]["blockedUntil"]
    when = f", the next one at {next_probe}" if next_probe else ""
    told = f"so many attempts failed that only probes are sent{when}; {_failing(subscription)}"
    return f"{told}; without waiting: {resume(subscription)}"


def _retrying(subscription: dict[str, Any]) -> str:
    """Of some events that fail while others are delivered."""
    delivery = subscription["delivery"]
    if not (delivery["retrying"] and delivery["lastFailure"]):
        return ""
    return f"{delivery['retrying']:,} tried again later; {_failing(subscription)}"


def _outcome(last: dict[str, Any]) -> str:
    return str(last["message"] or last["statusCode"])


def _disabled(subscription: dict[str, Any]) -> str:
    reason = subscription["delivery"]["disabledReason"]
    return f"{reason}; mend the target, then: {resume(subscription)}"


def _held(subscription: dict[str, Any]) -> str:
    delivery = subscription["delivery"]
    return (
        f"spec.{delivery['heldExpression']}.cel may not run before {delivery['heldUntil']}: "
        f"{delivery['heldReason']}"
    )


_REASONS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "Rejecting": _rejecting,
    "Failing": _failing,
    "Delivering": _retrying,
    "Held": _held,
    "CircuitOpen": _circuit_open,
    "Disabled": _disabled,
}
