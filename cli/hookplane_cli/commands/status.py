"""`hookplane status`: is it working, and if not, why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from hookplane.clock import Millis, SystemClock
from hookplane_cli.client.listing import all_namespaces_option
from hookplane_cli.client.session import Session, client_command
from hookplane_cli.client.table import ago, table
from hookplane_cli.human import counted, printable, short_name

SHOWN_REPLAYS: Final = 10
"""The newest so many jobs."""
SHOWN_FINDINGS: Final = 20
"""Problems of the manifests, and as many notes."""
MAX_LINE: Final = 500


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
        _replays(replays, now, wide),
        "\n".join(
            line
            for x in [*shown, *subscriptions]
            for line in (_reason(x), _filter_error(x), expired_of(x))
            if line
        ),
    ]
    return [part for part in parts if part]


def _replays(replays: list[dict[str, Any]], now: Millis, wide: bool) -> str:
    if not replays:
        return ""
    shown = [_replay(job, now, wide) for job in replays[:SHOWN_REPLAYS]]
    text = table(("REPLAY", *_REPLAY_TITLES), shown)
    rest = len(replays) - len(shown)
    more = f"… {counted(rest, 'older replay')}; all of them: hookplane status --json"
    return f"{text}\n{more}" if rest else text


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
    delivery = one.get("delivery") or {}
    if (last := delivery.get("lastFilterError")) is None:
        return ""
    count = counted(delivery["filterErrors"], "event")
    return (
        f"{one['name']}: the filter failed on {count}, last on {last['eventID']} at "
        f"{last['time']}: {printable(last['message'])}"
    )


def expired_of(one: dict[str, Any]) -> str:
    """A line on what was not delivered before it went."""
    expired = (one.get("delivery") or {}).get("expired", 0)
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
    return f"so many attempts failed that only probes are sent{when}; {_failing(subscription)}"


def _outcome(last: dict[str, Any]) -> str:
    return str(last["message"] or last["statusCode"])


def _disabled(subscription: dict[str, Any]) -> str:
    reason = subscription["delivery"]["disabledReason"]
    return f"{reason}; mend the target, then: hookplane resume {subscription['name']}"


def _held(subscription: dict[str, Any]) -> str:
    delivery = subscription["delivery"]
    return (
        f"spec.{delivery['heldExpression']}.cel may not run before {delivery['heldUntil']}: "
        f"{delivery['heldReason']}"
    )


_REASONS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "Rejecting": _rejecting,
    "Failing": _failing,
    "Held": _held,
    "CircuitOpen": _circuit_open,
    "Disabled": _disabled,
}
