"""`hookplane sink`: a local subscriber."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from hookplane.clock import SystemClock
from hookplane.errors import InvalidValue
from hookplane_cli.options import AddressType, address_taken
from hookplane_cli.serving.loop import on_signals
from hookplane_cli.sink.arrival import Arrival, json_line, text_line
from hookplane_cli.sink.behaviour import (
    UNAVAILABLE,
    WELL_BEHAVED,
    Behaviour,
    SinkAnswer,
    bad_answer,
)
from hookplane_cli.sink.check import Checker
from hookplane_cli.sink.secrets import read_secrets
from hookplane_cli.sink.sink import Sink

SECRET_VARIABLE: Final = "HOOKPLANE_SINK_SECRET"  # noqa: S105 - the name of a variable


@click.command(name="sink")
@click.option("--listen", type=AddressType(), default="127.0.0.1:9000", show_default=True)
@click.option(
    "--secret",
    envvar=SECRET_VARIABLE,
    help=f"whsec_… or whpk_…; other users see it in argv, so rather set {SECRET_VARIABLE}.",
)
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path),
    help="File with the secret, or .hookplane/secrets/NAMESPACE/NAME.json.",
)
@click.option("--fail", type=click.IntRange(0), metavar="N", help="Fail the first N deliveries.")
@click.option("--fail-percent", type=click.IntRange(0, 100), metavar="P", help="Fail P of 100.")
@click.option("--status", type=click.IntRange(200, 599), help="Failing is this status code.")
@click.option("--gone", is_flag=True, help="Failing is 410: the subscription is disabled.")
@click.option(
    "--throttle",
    type=click.IntRange(0, 86_400),
    metavar="SECONDS",
    help="Failing is 429 with Retry-After.",
)
@click.option(
    "--stall",
    type=click.FloatRange(0, 3600),
    metavar="SECONDS",
    help="Failing is an answer that takes so long.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per delivery.")
def command(
    listen: tuple[str, int],
    secret: str | None,
    secret_file: Path | None,
    fail: int | None,
    fail_percent: int | None,
    status: int | None,
    gone: bool,
    throttle: int | None,
    stall: float | None,
    as_json: bool,
) -> None:
    """A local subscriber: prints each delivery and checks its signature, until Ctrl-C.

    --fail and --fail-percent say when it fails (503 unless told otherwise); --status, --gone,
    --throttle and --stall say how, and without the former it always does.
    """
    one_of("--fail and --fail-percent", fail is not None, fail_percent is not None)
    one_of("--gone, --throttle and --stall", gone, throttle is not None, stall is not None)
    one_of("--gone, --throttle and --status", gone, throttle is not None, status is not None)
    reply = bad_answer(status, gone, throttle, None if stall is None else int(stall * 1000))
    behaviour = behaviour_of(reply, fail, fail_percent)
    try:
        checker = Checker(read_secrets(secret, secret_file))
    except InvalidValue as error:
        raise click.ClickException(str(error)) from error
    asyncio.run(_serve(listen, checker, behaviour, json_line if as_json else text_line, as_json))


def behaviour_of(reply: SinkAnswer | None, first: int | None, percent: int | None) -> Behaviour:
    """Without any option a sink is well behaved."""
    if reply is None and first is None and percent is None:
        return WELL_BEHAVED
    return Behaviour(reply or SinkAnswer(UNAVAILABLE), first, percent)


def one_of(options: str, *given: bool) -> None:
    """Raises click.UsageError when more than one is given."""
    if sum(given) > 1:
        raise click.UsageError(f"{options} exclude each other")


async def _serve(
    listen: tuple[str, int],
    checker: Checker,
    behaviour: Behaviour,
    line: Callable[[Arrival], str],
    as_json: bool,
) -> None:
    sink = Sink(
        checker=checker,
        behaviour=behaviour,
        clock=SystemClock(),
        random=random.Random(),  # noqa: S311 - chance, not secrecy
        arrived=lambda arrival: click.echo(line(arrival)),
    )
    ended = asyncio.Event()
    on_signals(asyncio.get_running_loop(), lambda _: ended.set())
    try:
        url = await sink.start(*listen)
    except OSError as error:
        raise address_taken(listen, "--listen", error) from error
    click.echo(f"sink at {url}   Ctrl-C ends it", err=as_json)
    await ended.wait()
    await sink.stop()
