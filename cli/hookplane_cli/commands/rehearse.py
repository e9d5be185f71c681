"""`hookplane test`: what becomes of an event, step by step. Nothing is sent, and nothing stays."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click
import orjson

from hookplane.clock import Clock, SystemClock
from hookplane.evaluation.pool import EvaluationPool
from hookplane.filters.event import EventView
from hookplane_cli.human import printable, size
from hookplane_cli.options import (
    CHECKING,
    labelled_secrets_option,
    manifests_option,
    namespace_option,
)
from hookplane_cli.rehearsal.deliver import Delivered, Fate, WouldSend, deliver
from hookplane_cli.rehearsal.receive import NotInForce, Rehearsed, Taken, rehearse
from hookplane_cli.sample_options import read_body, read_header, sample_options
from hookplane_console.trigger import SampleWish, TriggerRefused

SHOWN_CHARACTERS: Final = 400
"""Of a body, for people; JSON has all of it."""
_NOBODY: Final = "no subscription reads this endpoint"


@click.command(name="test")
@click.argument("endpoint")
@manifests_option
@namespace_option
@labelled_secrets_option
@sample_options
@click.option(
    "--to",
    "wanted",
    metavar="SUBSCRIPTION",
    multiple=True,
    help="Show this one only, and fail if it would not get the event; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON value, for machines.")
def command(
    endpoint: str,
    sources: tuple[Path, ...],
    namespace: str,
    labelled_secrets: bool,
    type_: str | None,
    key: str | None,
    body: str | None,
    headers: tuple[str, ...],
    wanted: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what ENDPOINT and its subscriptions would make of what its provider sends.

    It is signed, verified, read, filtered, transformed and signed again as a plane with these
    manifests would. Nothing is sent. Exit code 1 when the endpoint would not accept it, or a
    subscription that --to names would not get it.
    """
    wish = SampleWish(
        type_,
        key,
        None if body is None else read_body(body),
        tuple(map(read_header, headers)),
    )
    options = dataclasses.replace(CHECKING, labelled_secrets=labelled_secrets)
    clock = SystemClock()
    try:
        found = asyncio.run(rehearse(sources, namespace, endpoint, wish, options, clock))
    except NotInForce as error:
        for finding in error.report.problems:
            click.echo(str(finding), err=True)
        raise click.ClickException(str(error)) from error
    except TriggerRefused as error:
        raise click.ClickException(str(error)) from error
    names = {x if "/" in x else f"{namespace}/{x}" for x in wanted}
    results = asyncio.run(_deliver(found, names, clock)) if found.taken.event else []
    if as_json:
        click.echo(orjson.dumps(_as_json(found, results)).decode())
    else:
        click.echo("\n".join(_lines(found, results)))
    missed = names - {x.name for x in results if x.fate is Fate.SENT}
    _say_strangers(names - {f"{x.namespace}/{x.name}" for x in found.readers}, endpoint)
    sys.exit(1 if missed or found.taken.event is None else 0)


async def _deliver(found: Rehearsed, wanted: set[str], clock: Clock) -> list[Delivered]:
    """At all that read the endpoint, or those that are wanted."""
    event, pool = found.taken.event, EvaluationPool()
    assert event is not None  # noqa: S101 - it was accepted
    readers = (x for x in found.readers if not wanted or f"{x.namespace}/{x.name}" in wanted)
    try:
        return [await deliver(x, event, pool, clock) for x in readers]
    finally:
        await pool.close()


def _say_strangers(names: set[str], endpoint: str) -> None:
    for name in sorted(names):
        click.echo(f"{name} is no subscription that reads {endpoint}", err=True)


# For people ---------------------------------------------------------------------------------------


def _lines(found: Rehearsed, results: Sequence[Delivered]) -> Iterator[str]:
    taken, name = found.taken, f"{found.endpoint.namespace}/{found.endpoint.name}"
    verdict = "accepted" if taken.event is not None else f"{taken.reason}: {taken.detail}"
    yield f"endpoint {name}: {taken.status_code} {printable(verdict)}"
    if taken.event is None:
        return
    yield from _of_event(taken.event)
    if not found.readers:
        yield _NOBODY
    for result in results:
        yield ""
        yield f"subscription {result.name}: {_told(result)}"
        if result.request is not None:
            yield from _of_request(result.request)


def _told(result: Delivered) -> str:
    return f"{result.fate}, {result.because}" if result.because else str(result.fate)


def _of_event(event: EventView) -> Iterator[str]:
    yield f"  type  {printable(event.type)}"
    yield f"  key   {printable(event.key) if event.key else '-'}"
    for name, value in event.headers:
        yield f"  kept  {name}: {printable(value)}"


def _of_request(request: WouldSend) -> Iterator[str]:
    yield f"  POST to {request.host or 'a URL that is secret'}"
    for name, value in request.headers:
        yield f"  {name}: {printable(value)}"
    text = request.body.decode("utf-8", "replace")
    yield f"  {size(len(request.body))}: {printable(text, limit=SHOWN_CHARACTERS)}"


# For machines -------------------------------------------------------------------------------------


def _as_json(found: Rehearsed, results: Sequence[Delivered]) -> dict[str, Any]:
    return {
        "endpoint": f"{found.endpoint.namespace}/{found.endpoint.name}",
        "statusCode": found.taken.status_code,
        "rejection": _rejection(found.taken),
        "event": _event_json(found.taken.event),
        "subscriptions": [_result_json(result) for result in results],
    }


def _rejection(taken: Taken) -> dict[str, str] | None:
    return {"reason": taken.reason, "message": taken.detail} if taken.event is None else None


def _event_json(event: EventView | None) -> dict[str, Any] | None:
    if event is None:
        return None
    return {"type": event.type, "key": event.key or None, "headers": list(event.headers)}


def _result_json(result: Delivered) -> dict[str, Any]:
    request = result.request
    return {
        "subscription": result.name,
        "fate": result.fate,
        "message": result.because,
        "request": None
        if request is None
        else {
            "host": request.host,
            "headers": list(request.headers),
            "body": request.body.decode("utf-8", "replace"),
        },
    }
