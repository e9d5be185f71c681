"""`hookplane attempts`: every try, and what came of it."""

from __future__ import annotations

from typing import Any

import click

from hookplane_cli.client.admin import event_path, full_name
from hookplane_cli.client.listing import gathered, nothing, page_options, with_rest
from hookplane_cli.client.session import Session, client_command
from hookplane_cli.client.table import table
from hookplane_cli.human import duration, short_name


@click.command(name="attempts")
@click.argument("event", required=False)
@click.option("--subscription", metavar="NAME", help="Only those of this subscription.")
@page_options
@client_command
def command(
    session: Session,
    event: str | None,
    subscription: str | None,
    limit: int,
    before: str | None,
    all_namespaces: bool,
) -> None:
    """Attempts, newest event first: of an EVENT, of a subscription, or of all."""
    wanted = subscription and full_name(subscription, session.namespace)
    namespace = None if event or wanted or all_namespaces else session.namespace
    parameters = {"event": event, "subscription": wanted, "namespace": namespace}
    page = gathered(session.client, "/attempts", parameters, limit, before)
    if event is not None and not page["items"]:
        session.client.get(event_path(event))  # an event that is not there is told
    empty = nothing("attempts", namespace)
    session.show(page, lambda: with_rest(_table(page["items"]) or empty, page))


def _table(attempts: list[dict[str, Any]]) -> str:
    if not attempts:
        return ""
    titles = ("TIME", "SUBSCRIPTION", "EVENT", "ATTEMPT", "RESULT", "TOOK", "ANSWER")
    return table(titles, [_row(attempt) for attempt in attempts])


def _row(attempt: dict[str, Any]) -> tuple[object, ...]:
    number = "probe" if attempt["probe"] else attempt["attempt"]
    return (
        attempt["time"],
        short_name(attempt["subscription"]),
        attempt["eventID"],
        f"{number} (replay)" if attempt["replay"] else number,
        attempt["message"] or attempt["statusCode"],
        duration(attempt["milliseconds"]),
        attempt["answer"],
    )
