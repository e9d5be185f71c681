"""`hookplane replay`: delivers events again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import click

from hookplane.clock import SystemClock
from hookplane_cli.client.admin import event_path, full_name, object_path
from hookplane_cli.client.live_counter import LiveCounter
from hookplane_cli.client.session import Session, client_command
from hookplane_cli.client.waiting import kept_waiting
from hookplane_cli.human import counted

POLL_SECONDS: Final = 0.3
INTERRUPTED: Final = 130
"""Exit code, as shells have it for Ctrl-C (128 and the number of SIGINT)."""


@click.command(name="replay")
@click.argument("subscription")
@click.option("--since", metavar="WHEN", help="Received since: 1h, or 2026-11-21T00:00:00Z.")
@click.option("--until", metavar="WHEN", help="Received before; default: now.")
@click.option(
    "--state",
    metavar="STATES",
    help="dead (default with --since), delivered, filtered, expired, retrying, or all (default with"
    " --id). What filter.types and the expression left out goes too; events of other keys than"
    " filter.keys never do.",
)
@click.option("--id", "ids", metavar="EVENT", multiple=True, help="This event; may be repeated.")
@click.option("--wait", is_flag=True, help="Wait for its end; exit code 1 if any failed.")
@client_command
def command(
    session: Session,
    subscription: str,
    since: str | None,
    until: str | None,
    state: str | None,
    ids: tuple[str, ...],
    wait: bool,
) -> None:
    """Starts a replay job for SUBSCRIPTION: the events of a time, or single ones by id."""
    if bool(ids) == bool(since):
        raise click.UsageError("say which events, in one way: --since WHEN, or --id EVENT")
    for event in ids:
        session.client.get(event_path(event))  # one that is not there is told
    body = {
        "subscription": full_name(subscription, session.namespace),
        **({"ids": ids} if ids else {"since": since}),
        **({"until": until} if until else {}),
        **({"states": state.split(",")} if state else {}),
    }
    job = session.client.post("/replays", body)
    if wait:
        job = wait_for(session, job, time.sleep)
    session.show(job, lambda: _line(job))
    if wait and job["failed"]:
        raise SystemExit(1)


def wait_for(
    session: Session, job: dict[str, Any], pause: Callable[[float], None]
) -> dict[str, Any]:
    """The job when it no longer runs. Says on standard error what it waits for, each time that this
    is something else. Raises SystemExit on Ctrl-C; the job goes on."""
    path = object_path("replays", job["name"], job["namespace"])
    with LiveCounter("replayed", 0) as progress:
        progress.say(f"replay {job['name']} began")
        waits = _Waits(session, job["subscription"], progress)
        try:
            while job["state"] == "Running":
                pause(POLL_SECONDS)
                before, job = job, session.client.get(path)
                detail = f" of {job['matched']:,} found so far, {job['failed']:,} failed"
                progress.at(job["delivered"] + job["failed"], detail)
                waits.look(is_moving=before != job)
        except KeyboardInterrupt:
            progress.say(f"replay {job['name']} goes on without you; see: hookplane status")
            raise SystemExit(INTERRUPTED) from None
    return job


class _Waits:
    """Tells what a job waits for that does not go on."""

    def __init__(self, session: Session, subscription: str, progress: LiveCounter) -> None:
        self._client = session.client
        self._path = object_path("subscriptions", subscription, session.namespace)
        self._progress = progress
        self._told = ""

    def look(self, *, is_moving: bool) -> None:
        if is_moving:
            return
        one = self._client.get(self._path)
        wait = kept_waiting(one, SystemClock().now())
        if wait and wait.kind != self._told:
            self._progress.say(f"waits: {wait.told(one)}")
        self._told = wait.kind if wait else ""


def _line(job: dict[str, Any]) -> str:
    if job["state"] == "Running":
        return f"replay {job['name']} runs; see: hookplane status"
    told = f"{job['delivered']:,} delivered, {job['failed']:,} failed"
    told += f", {job['notFound']:,} not found" if job["notFound"] else ""
    return f"replay {job['name']} is {job['state']}: {counted(job['matched'], 'event')}, {told}"
