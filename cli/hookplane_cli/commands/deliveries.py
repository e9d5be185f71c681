"""`hookplane deliveries`: where the events of a subscription are."""

from __future__ import annotations

from typing import Any

import click

from hookplane_cli.client.admin import full_name
from hookplane_cli.client.session import Session, client_command, page_options, with_rest
from hookplane_cli.client.table import table
from hookplane_cli.human import short_name


@click.command(name="deliveries")
@click.option("--subscription", metavar="NAME", help="Only those of this subscription.")
@click.option("--state", metavar="STATES", help="Only in these states, such as dead,retrying.")
@page_options
@client_command
def command(
    session: Session, subscription: str | None, state: str | None, limit: int, before: str | None
) -> None:
    """Deliveries, newest event first; of all subscriptions in turn when none is named."""
    pages: dict[str, dict[str, Any]] = {}
    for name in _subscriptions(session, subscription):
        parameters = {"subscription": name, "state": state, "limit": limit, "before": before}
        pages[name] = session.client.get("/deliveries", parameters)
    items = [item for page in pages.values() for item in page["items"]]
    looked_at = sum(page["lookedAt"] for page in pages.values())
    following = [page["next"] for page in pages.values()]
    whole = {
        "items": items,
        "next": following[0] if len(following) == 1 else None,
        "lookedAt": looked_at,
    }
    session.show(whole, lambda: _text(_table(items), pages))


def _subscriptions(session: Session, name: str | None) -> list[str]:
    if name is not None:
        return [full_name(name, session.namespace)]
    found = session.client.get("/subscriptions", {"namespace": session.namespace})["items"]
    return [f"{one['namespace']}/{one['name']}" for one in found]


def _text(text: str, pages: dict[str, dict[str, Any]]) -> str:
    for name, page in pages.items():
        text = with_rest(text, page, f" --subscription {name}")
    return text


def _table(deliveries: list[dict[str, Any]]) -> str:
    if not deliveries:
        return "No deliveries."
    titles = (
        "SUBSCRIPTION",
        "EVENT",
        "TYPE",
        "KEY",
        "STATE",
        "ATTEMPTS",
        "LAST RESULT",
        "NEXT RETRY",
    )
    return table(titles, [_row(delivery) for delivery in deliveries])


def _row(delivery: dict[str, Any]) -> tuple[object, ...]:
    return (
        short_name(delivery["subscription"]),
        delivery["eventID"],
        delivery["type"],
        delivery["key"],
        delivery["state"],
        delivery["attempts"],
        delivery["message"] or delivery["statusCode"] or None,
        delivery["nextRetryTime"],
    )
