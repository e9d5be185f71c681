"""One grammar for all commands that list: limits are kept, the newest comes first, and what was cut
says how to see the rest."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from hookplane.store.config_store import CursorPlan
from hookplane.store.delivery_store import Attempt, Counters, Flush
from hookplane.store.event_log import NewEvent
from hookplane_cli.main import main
from support.clocks.blocking import until
from support.planes.console import (
    NOON,
    ORDERS,
    SHOP,
    STATE,
    RunningConsole,
    endpoint_row,
    event_id,
    running_console,
    subscription_row,
)

BILLS = "webhookendpoints/default/bills"
CRM = "webhooksubscriptions/default/crm"
OTHER = "webhookendpoints/chat/talk"
TALKER = "webhooksubscriptions/chat/talker"
READERS = {ORDERS: (SHOP, CRM), BILLS: (CRM,), OTHER: (TALKER,)}
LAST = 12
TRIES = 2
LISTINGS = (
    "events",
    "events -A",
    "events --endpoint orders",
    "events --type 'order.*'",
    "deliveries",
    "deliveries -A",
    "deliveries crm",
    "deliveries --subscription crm",
    "attempts",
    "attempts -A",
    "attempts --subscription crm",
    f"attempts {event_id(9)}",
)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    """Two endpoints of a namespace and one of another; each event was tried several times."""
    with running_console(tmp_path_factory.mktemp("listings") / "store") as running:
        fill(running)
        yield running


def fill(console: RunningConsole) -> None:
    console.apply(
        endpoint_row("bills"),
        subscription_row("crm"),
        endpoint_row("talk", "chat"),
        subscription_row("talker", "chat"),
        cursors=(CursorPlan(CRM, (ORDERS, BILLS)), CursorPlan(TALKER, (OTHER,))),
    )
    for number in range(6, LAST + 1):
        endpoint = (ORDERS, BILLS, BILLS, OTHER)[number % 4]
        console.run(console.store.append(event(endpoint, number)))
        for subscription in READERS[endpoint]:
            tries(console, subscription, endpoint, number)
    until(lambda: "chat/talker" in call(console, "status -A"), "the console knows them")


def event(endpoint: str, number: int) -> NewEvent:
    return NewEvent(endpoint, event_id(number), NOON + number, "order.paid", (), b"{}")


def tries(console: RunningConsole, subscription: str, endpoint: str, number: int) -> None:
    claimed = console.run(console.store.claim(subscription))
    made = tuple(
        Attempt(endpoint, 1, event_id(number), NOON + n, n, 4, False, 503, "busy", b"", "")
        for n in range(1, TRIES + 1)
    )
    flush = Flush(
        subscription=subscription,
        epoch=claimed.epoch,
        number=claimed.flush_number + 1,
        attempts=made,
        counters=Counters(attempts=TRIES),
        state=STATE,
    )
    console.run(console.store.flush(flush))


def call(console: RunningConsole, command: str) -> str:
    result = CliRunner().invoke(main, [*shlex.split(command), "--admin", console.url])
    assert result.exit_code == 0, result.output
    return result.stdout


def rows_of(text: str) -> list[str]:
    """Lines of the table."""
    lines = text.split("\n\n", maxsplit=1)[0].splitlines()[1:]
    return [line for line in lines if not line.startswith("…")]


def more_of(text: str) -> str | None:
    """The command that shows the rest, as it stands there."""
    found = [line.split("Older ones: ")[1] for line in text.splitlines() if "Older ones: " in line]
    assert len(found) <= 1
    return found[0].removeprefix("hookplane ") if found else None


def ids_of(rows: list[str]) -> list[str]:
    return [next(word for word in row.split() if word.startswith("evt_")) for row in rows]


@pytest.mark.parametrize("command", LISTINGS)
def test_the_newest_come_first(console: RunningConsole, command: str) -> None:
    found = call(console, f"{command} --limit 500")
    ids = ids_of(rows_of(found))
    assert len(ids) > 1
    assert ids == sorted(ids, reverse=True)
    assert more_of(found) is None


@pytest.mark.parametrize("limit", [1, 4])
@pytest.mark.parametrize("command", LISTINGS)
def test_a_list_that_was_cut_says_how_to_see_the_rest(
    console: RunningConsole, command: str, limit: int
) -> None:
    whole = rows_of(call(console, f"{command} --limit 500"))
    shared = command in ("deliveries", "deliveries -A") and limit == 1
    seen: list[str] = []
    asked: str | None = f"{command} --limit {limit}"
    while asked is not None:
        found = call(console, asked)
        rows = rows_of(found)
        assert len(rows) <= limit
        assert (more_of(found) is None) == (len(seen) + len(rows) == len(whole)) or shared
        seen += rows
        asked = more_of(found)
    if not shared:
        assert [row.split() for row in seen] == [row.split() for row in whole]


def test_an_event_with_more_deliveries_than_the_limit_says_so(console: RunningConsole) -> None:
    both = call(console, f"deliveries --limit 1 --before {event_id(9)}")
    assert "… 1 more delivery of this event" in both


def test_a_list_that_has_just_as_many_as_wanted_is_whole(console: RunningConsole) -> None:
    number = len(rows_of(call(console, "events --limit 500")))
    assert more_of(call(console, f"events --limit {number}")) is None


def test_a_namespace_is_kept_to_everywhere(console: RunningConsole) -> None:
    for command in ("events", "deliveries", "attempts"):
        mine = ids_of(rows_of(call(console, f"{command} -n chat --limit 500")))
        assert set(mine) == {event_id(n) for n in (7, 11)}, command
        assert not set(mine) & set(ids_of(rows_of(call(console, f"{command} --limit 500"))))


def test_n_names_a_namespace_and_is_no_limit(console: RunningConsole) -> None:
    for command in ("events", "deliveries", "attempts"):
        told = call(console, f"{command} -n 5")
        assert told == (
            f"No {command} in namespace 5 (-n names a namespace; how many: --limit 5).\n"
        )
