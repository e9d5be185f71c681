"""The options that say what a sample event is to be, and the reading of their values."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import click

from hookplane_cli.human import printable

MAX_BODY_BYTES: Final = 32 * 1024
"""The admin API takes 64 KiB of JSON, in which most characters need one byte or two."""
_ELSE: Final = "send it from a program of yours: docs/own-events.md"
_OPTIONS: Final = (
    click.option(
        "--type", "type_", metavar="TYPE", help="Event type; default: the provider's first."
    ),
    click.option("--key", metavar="KEY", help="What it is about, where spec.key looks for it."),
    click.option(
        "--body",
        metavar="TEXT|@FILE",
        help="Sent in place of the sample's; @FILE: what is in a file, @-: what comes in.",
    ),
    click.option(
        "--header",
        "headers",
        metavar="'NAME: VALUE'",
        multiple=True,
        help="Sent in place of the sample's, or besides; may be given several times.",
    ),
)


def sample_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `type_`, `key`, `body` and `headers` to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


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
