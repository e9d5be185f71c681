"""`hookplane deliveries`: where the events of a subscription are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from hookplane.clock import Millis, SystemClock
from hookplane.units import parse_time
from hookplane_cli.client.admin import full_name, object_path
from hookplane_cli.client.listing import (
    Page,
    again,
    gathered,
    nothing,
    page_options,
    with_rest,
)
from hookplane_cli.client.session import Session, client_command
from hookplane_cli.client.table import table
from hookplane_cli.client.waiting import Wait, slowed, stopped
from hookplane_cli.human import counted, short_name

Delivery = dict[str, Any]
"""As the admin API shows it."""


@click.command(name="deliveries")
@click.argument("name", metavar="[SUBSCRIPTION]", required=False)
@click.option("--subscription", metavar="NAME", help="The same as the argument.")
@click.option("--state", metavar="STATES", help="Only in these states, such as dead,retrying.")
@page_options
@client_command
def command(
    session: Session,
    name: str | None,
    subscription: str | None,
    state: str | None,
    limit: int,
    before: str | None,
    all_namespaces: bool,
) -> None:
    """Deliveries, newest event first: of a SUBSCRIPTION, or of all."""
    if name and subscription:
        raise click.UsageError("name the subscription once")
    one = name or subscription
    namespace = None if one or all_namespaces else session.namespace
    found = _subscriptions(session, one, namespace)
    pages = {
        x: gathered(
            session.client, "/deliveries", {"subscription": x, "state": state}, limit, before
        )
        for x in found
    }
    whole = next(iter(pages.values())) if one else merged(pages, limit)
    empty, now = nothing("deliveries", namespace), SystemClock().now()
    session.show(whole, lambda: _text(_table(whole["items"], found, now) or empty, whole))


def _subscriptions(session: Session, name: str | None, namespace: str | None) -> dict[str, Any]:
    """By `namespace/name`: one, or those of a namespace, or all."""
    if name:
        path = object_path("subscriptions", name, session.namespace)
        return {full_name(name, session.namespace): session.client.get(path)}
    found = session.client.get("/subscriptions", {"namespace": namespace})["items"]
    return {f"{one['namespace']}/{one['name']}": one for one in found}


def merged(pages: Mapping[str, Page], limit: int) -> Page:
    """The newest `limit` of all subscriptions. It ends between two events, so that an event id says
    where to go on; only one event that alone has too many deliveries is cut, and `leftOut` says how
    many. `unfinished`: subscriptions that have older ones behind what their page looked at."""
    items = [item for page in pages.values() for item in page["items"]]
    items.sort(key=lambda item: str(item["eventID"]), reverse=True)
    shown = _newest(items, limit)
    full = any(page["next"] and len(page["items"]) >= limit for page in pages.values())
    is_cut = full or len(shown) < len(items)
    last = shown[-1]["eventID"] if shown else ""
    return {
        "items": shown,
        "next": last if is_cut else None,
        "lookedAt": sum(page["lookedAt"] for page in pages.values()),
        "leftOut": sum(item["eventID"] == last for item in items[len(shown) :]),
        "unfinished": {
            name: page["next"]
            for name, page in pages.items()
            if page["next"] and len(page["items"]) < limit
        },
    }


def _newest(items: Sequence[Delivery], limit: int) -> list[Delivery]:
    """At most `limit`, and no event by half, unless it is the first."""
    shown = list(items[:limit])
    if len(items) <= limit or items[limit]["eventID"] != shown[-1]["eventID"]:
        return shown
    return [item for item in shown if item["eventID"] != shown[-1]["eventID"]] or shown


def _text(text: str, page: Page) -> str:
    if page.get("leftOut"):
        text += f"\n… {counted(page['leftOut'], 'more delivery', 'more deliveries')} of this event"
    text = with_rest(text, page)
    for name, place in page.get("unfinished", {}).items():
        text += f"\n\nNot all of {short_name(name)} was looked at. Older ones: "
        text += again(subscription=name, before=place)
    return text


_TITLES: Final = (
    "SUBSCRIPTION",
    "EVENT",
    "TYPE",
    "KEY",
    "STATE",
    "ATTEMPTS",
    "LAST RESULT",
    "NEXT RETRY",
)


def _table(deliveries: Sequence[Delivery], among: Mapping[str, Any], now: Millis) -> str:
    """And below it, why what waits does so, and what to do about it."""
    if not deliveries:
        return ""
    waits = {
        name: wait
        for name, one in among.items()
        if (wait := stopped(one, now) or slowed(one, now)) is not None
    }
    rows = [_row(delivery, waits.get(delivery["subscription"]), now) for delivery in deliveries]
    kept = {x["subscription"] for x in deliveries if _keeps(waits.get(x["subscription"]), x, now)}
    lines = [f"waits: {waits[x].told(among[x])}" for x in sorted(kept)]
    return "\n\n".join([table(_TITLES, rows), *(["\n".join(lines)] if lines else [])])


def _row(delivery: Delivery, wait: Wait | None, now: Millis) -> tuple[object, ...]:
    return (
        short_name(delivery["subscription"]),
        delivery["eventID"],
        delivery["type"],
        delivery["key"],
        delivery["state"],
        delivery["attempts"],
        _result(delivery, wait),
        _next_retry(delivery, wait, now),
    )


def _keeps(wait: Wait | None, delivery: Delivery, now: Millis) -> bool:
    """Whether nothing else keeps this delivery."""
    if wait is None:
        return False
    if delivery["state"] == "pending":
        return not delivery["waitsForEventID"]
    return wait.retries_too and _is_due(delivery, now)


def _is_due(delivery: Delivery, now: Millis) -> bool:
    time = delivery["nextRetryTime"]
    return time is not None and parse_time(time) <= now


def _next_retry(delivery: Delivery, wait: Wait | None, now: Millis) -> object:
    if not _is_due(delivery, now):
        return delivery["nextRetryTime"]
    return f"due; {wait.kind}" if wait and _keeps(wait, delivery, now) else "due"


def _result(delivery: Delivery, wait: Wait | None) -> object:
    """What came of it so far, or what it waits for."""
    if delivery["filterError"]:
        return f"the filter failed: {delivery['filterError']}"
    if delivery["waitsForEventID"]:
        return f"waits for {delivery['waitsForEventID']}, which has the same key"
    if wait and delivery["state"] == "pending":
        return f"waits: {wait.kind}"
    return delivery["message"] or delivery["statusCode"] or None
