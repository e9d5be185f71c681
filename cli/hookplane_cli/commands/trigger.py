"""`hookplane trigger`: sends a signed sample event to an endpoint."""

from __future__ import annotations

import os
from typing import Any, Final

import click

from hookplane_cli.client.admin import object_path
from hookplane_cli.client.live_counter import LiveCounter
from hookplane_cli.client.session import Session, client_command
from hookplane_cli.human import printable

MAX_BODY_BYTES: Final = 32 * 1024
"""The admin API takes 64 KiB of JSON, in which most characters need one byte or two."""
_ELSE: Final = "send it from a program of yours: docs/own-events.md"


@click.command(name="trigger")
@click.argument("endpoint")
@click.option("--type", "type_", metavar="TYPE", help="Event type; default: the provider's first.")
@click.option("--key", metavar="KEY", help="What it is about, where spec.key looks for it.")
@click.option(
    "--body",
    metavar="TEXT|@FILE",
    help="Sent in place of the sample's; @FILE: what is in a file, @-: what comes in.",
)
@click.option(
    "--header",
    "headers",
    metavar="'NAME: VALUE'",
    multiple=True,
    help="Sent in place of the sample's, or besides; may be given several times.",
)
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


def read_body(text: str) -> str:
    """The text itself, or that of the file that it names. Raises click.ClickException."""
    content = _content(text.removeprefix("@")) if text.startswith("@") else os.fsencode(text)
    if len(content) > MAX_BODY_BYTES:
        raise click.ClickException(
            f"--body: a sample may have {MAX_BODY_BYTES:,} bytes, and this has more; {_ELSE}"
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise click.ClickException(f"--body: this is not UTF-8; {_ELSE}") from error


def read_header(text: str) -> tuple[str, str]:
    """Name and value, as curl's -H has them. Raises click.ClickException."""
    name, colon, value = text.partition(":")
    if not (colon and name.strip()):
        raise click.ClickException(f"--header: '{printable(text, limit=80)}' is not 'Name: value'")
    return name.strip(), value.strip()


def _content(file: str) -> bytes:
    try:
        with click.open_file(file, "rb") as stream:
            return bytes(stream.read(MAX_BODY_BYTES + 1))
    except OSError as error:
        raise click.ClickException(f"--body: {file} cannot be read: {error.strerror}") from error


def _line(endpoint: str, result: dict[str, Any]) -> str:
    told = result["eventID"] or printable(result["answer"], limit=80)
    return f"sent {result['type']} to {endpoint}: {result['statusCode']} {told}".rstrip()
