"""`hookplane events`: what was received."""

from __future__ import annotations

from typing import Any

import click

from hookplane_cli.client.admin import event_path, full_name
from hookplane_cli.client.listing import gathered, nothing, page_options, with_rest
from hookplane_cli.client.session import Session, client_command
from hookplane_cli.client.table import table
from hookplane_cli.human import printable, short_name, size


@click.command(name="events")
@click.argument("event", required=False)
@click.option("--endpoint", metavar="NAME", help="Only those of this endpoint.")
@click.option(
    "--type", "type_", metavar="TYPE", help="Only those of this type; * stands for any text."
)
@click.option("--key", metavar="KEY", help="Only those with this key; * stands for any text.")
@page_options
@client_command
def command(
    session: Session,
    event: str | None,
    endpoint: str | None,
    type_: str | None,
    key: str | None,
    limit: int,
    before: str | None,
    all_namespaces: bool,
) -> None:
    """Events, newest first; with an EVENT id, that one with headers and the start of its body."""
    if event is not None:
        one = session.client.get(event_path(event))
        session.show(one, lambda: _one(one))
        return
    wanted = endpoint and full_name(endpoint, session.namespace)
    namespace = None if wanted or all_namespaces else session.namespace
    parameters = {"endpoint": wanted, "namespace": namespace, "type": type_, "key": key}
    page = gathered(session.client, "/events", parameters, limit, before)
    empty = nothing("events", namespace)
    session.show(page, lambda: with_rest(_table(page["items"]) or empty, page))


def _table(events: list[dict[str, Any]]) -> str:
    if not events:
        return ""
    rows = [
        (
            e["receivedTime"],
            short_name(e["endpoint"]),
            e["type"],
            e["key"],
            e["id"],
            size(e["size"]),
        )
        for e in events
    ]
    return table(("RECEIVED", "ENDPOINT", "TYPE", "KEY", "EVENT", "SIZE"), rows)


def _one(event: dict[str, Any]) -> str:
    facts = [("event", event["id"]), ("endpoint", event["endpoint"]), ("type", event["type"])]
    facts += [("key", event["key"])] if event["key"] else []
    facts += [("received", event["receivedTime"]), ("size", size(event["size"]))]
    return "\n\n".join((_pairs(facts), _pairs(event["headers"]), _body(event)))


def _pairs(pairs: list[Any]) -> str:
    return "\n".join(f"{printable(name)}: {printable(value)}" for name, value in pairs)


def _body(event: dict[str, Any]) -> str:
    lines = [printable(line, limit=4096) for line in event["bodyPreview"].splitlines()]
    return "\n".join([*lines, "…"] if event["bodyTruncated"] else lines)
