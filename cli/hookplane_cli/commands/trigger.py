"""`hookplane trigger`: sends a signed sample event to an endpoint."""

from __future__ import annotations

from typing import Any

import click

from hookplane_cli.client.admin import object_path
from hookplane_cli.client.live_counter import LiveCounter
from hookplane_cli.client.session import Session, client_command
from hookplane_cli.human import printable
from hookplane_cli.sample_options import read_body, read_header, sample_options


@click.command(name="trigger")
@click.argument("endpoint")
@sample_options
@click.option("--count", type=click.IntRange(1, 10_000), default=1, help="Send so many.")
@client_command
def command(
    session: Session,
    endpoint: str,
    type_: str | None,
    key: str | None,
    body: str | None,
    headers: tuple[str, ...],
    count: int,
) -> None:
    """Sends what ENDPOINT's provider would send, correctly signed, over real HTTP.

    Exit code 1 when the endpoint did not accept all of them.
    """
    path = object_path("endpoints", endpoint, session.namespace) + "/trigger"
    wish: dict[str, Any] = {"type": type_}
    wish |= {} if key is None else {"key": key}
    wish |= {} if body is None else {"body": read_body(body)}
    wish |= {"headers": dict(map(read_header, headers))} if headers else {}
    refused = 0
    with LiveCounter("sent", count) as progress:
        for number in range(1, count + 1):
            result = session.client.post(path, wish)
            session.show(result, lambda: _line(endpoint, result))  # noqa: B023 - called at once
            refused += result["statusCode"] >= 300
            progress.at(number)
    if refused:
        raise SystemExit(1)


def _line(endpoint: str, result: dict[str, Any]) -> str:
    told = result["eventID"] or printable(result["answer"], limit=80)
    return f"sent {result['type']} to {endpoint}: {result['statusCode']} {told}".rstrip()
