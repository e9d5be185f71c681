"""`hookplane deliveries`: where the events of a subscription are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from hookplane.clock import Millis, SystemClock
from hookplane.units import parse_time
from hookplane_cli.client.admin import full_name
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
    found = [full_name(one, session.namespace)] if one else _subscriptions(session, namespace)
    pages = {
        x: gathered(
            session.client, "/deliveries", {"subscription": x, "state": state}, limit, before
        )
        for x in found
    }
    whole = next(iter(pages.values())) if one else merged(pages, limit)
    empty, now = nothing("deliveries", namespace), SystemClock().now()
    session.show(whole, lambda: _text(_table(whole["items"], now) or empty, whole))


def _subscriptions(session: Session, namespace: str | None) -> list[str]:
    found = session.client.get("/subscriptions", {"namespace": namespace})["items"]
    return [f"{one['namespace']}/{one['name']}" for one in found]


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


def _table(deliveries: Sequence[Delivery], now: Millis) -> str:
    return table(_TITLES, [_row(delivery, now) for delivery in deliveries]) if deliveries else ""


def _row(delivery: Delivery, now: Millis) -> tuple[object, ...]:
    return (
        short_name(delivery["subscription"]),
        delivery["eventID"],
        delivery["type"],
        delivery["key"],
        delivery["state"],
        delivery["attempts"],
        _result(delivery),
        _next_retry(delivery["nextRetryTime"], now),
    )


def _next_retry(time: str | None, now: Millis) -> str | None:
    """One that is due waits for a slot, the rate, the circuit, or a resume: `status` says which."""
    return "due" if time and parse_time(time) <= now else time


def _result(delivery: Delivery) -> object:
    """What came of it so far, or what it waits for."""
    if delivery["filterError"]:
        return f"the filter failed: {delivery['filterError']}"
    if delivery["waitsForEventID"]:
        return f"waits for {delivery['waitsForEventID']}, which has the same key"
    return delivery["message"] or delivery["statusCode"] or None
