"""The client commands against a real console on a real store."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from hookplane.clock import SystemClock
from hookplane.config.base import RateLimit
from hookplane.store.delivery_store import (
    CircuitState,
    Delivery,
    DeliveryState,
    ExpressionKind,
    Flush,
    ReplayJob,
)
from hookplane.store.event_log import NewEvent
from hookplane.store.notifications import Topic
from hookplane.store.sqlite.driver import SQLiteStore
from hookplane.units import format_time
from hookplane_cli.client.admin import AdminClient
from hookplane_cli.client.session import Session
from hookplane_cli.client.table import table
from hookplane_cli.commands.replay import wait_for
from hookplane_cli.commands.status import expired_of, findings_of, last_rejected
from hookplane_cli.main import main
from hookplane_cli.options import address_taken
from hookplane_console.trigger import SampleWish
from support.clocks.blocking import until
from support.planes.console import (
    NOON,
    ORDERS,
    SHOP,
    STATE,
    TOP_SECRET,
    RunningConsole,
    event_id,
    running_console,
    subscription_row,
)


@pytest.fixture
def console(tmp_path: Path) -> Iterator[RunningConsole]:
    with running_console(tmp_path / "store") as running:
        yield running


def call(console: RunningConsole, *words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [*words, "--admin", console.url])
    assert result.exit_code == code, result.output
    assert TOP_SECRET not in result.output
    return result


def lines(console: RunningConsole, *words: str) -> list[str]:
    return call(console, *words).stdout.splitlines()


def data(console: RunningConsole, *words: str) -> Any:
    return json.loads(call(console, *words, "--json").stdout)


def test_status(console: RunningConsole) -> None:
    shown = lines(console, "status")
    assert shown[0].split("   ")[0] == "ENDPOINT"
    assert shown[1].split()[:4] == ["orders", "True", "Receiving", "StandardWebhooks"]
    counts = ["ACCEPTED", "DUPLICATES", "CONFLICTS", "REJECTED"]
    assert [x for x in shown[0].split() if x in counts] == counts
    assert shown[1].split()[4:8] == ["5", "2", "0", "4"]
    assert shown[1].endswith("http://127.0.0.1:8080/default/orders")
    assert shown[3].split()[3:8] == ["DELIVERED", "FILTERED", "PENDING", "RETRYING", "DEAD"]
    assert shown[4].split()[:8] == ["shop", "True", "Failing", "1", "1", "1", "1", "1"]
    assert shown[4].endswith("2026-11-24T12:00:06Z   shop.test")
    assert shown[6] == "shop: last failure 2026-11-24T12:00:00Z, attempt 2: no route to host"
    assert lines(console, "status", "-A")[1].startswith("default/orders")
    assert [x["name"] for x in data(console, "status")["subscriptions"]] == ["shop"]


def test_what_expired_is_said_when_there_is_any() -> None:
    def told(expired: int) -> str:
        return expired_of({"name": "shop", "delivery": {"expired": expired}})

    assert told(1) == "shop: 1 event expired before delivery"
    assert told(0) == ""


def test_status_tells_what_is_dead_and_what_to_do(console: RunningConsole) -> None:
    assert lines(console, "status")[7] == (
        "shop: 1 dead, the last: no route to host; "
        "hookplane deliveries shop --state dead; hookplane replay shop --since 168h"
    )


def test_status_tells_a_rejection_while_others_are_accepted(console: RunningConsole) -> None:
    (orders,) = data(console, "status")["endpoints"]
    assert orders["state"] == "Receiving"
    told = "orders: last rejected 2026-11-24T12:00:01Z: signature does not match (1 key tried)"
    assert last_rejected(orders, NOON) == told
    assert last_rejected(orders, NOON + 2 * 86_400_000) == ""


def test_status_tells_of_events_that_fail_beside_others(console: RunningConsole) -> None:
    stand(console, failing_since=0)
    assert (
        "shop: 1 tried again later; last failure 2026-11-24T12:00:00Z, attempt 2: no route to host"
    ) in lines(console, "status")


def test_status_of_nothing(console: RunningConsole) -> None:
    assert lines(console, "status", "-n", "empty") == ["No endpoints.", "", "No subscriptions."]


def stand(console: RunningConsole, **facts: Any) -> None:
    """Says how the target of shop stands."""
    claimed = console.run(console.store.claim(SHOP))
    state = replace(STATE, **facts)
    flush = Flush(SHOP, claimed.epoch, claimed.flush_number + 1, state=state)
    console.run(console.store.flush(flush))


def test_a_probe_is_called_one(console: RunningConsole) -> None:
    stand(console, last_failure_attempt=0)
    assert "2026-11-24T12:00:00Z, a probe: no route to host" in call(console, "status").stdout


def test_an_open_circuit_says_when_the_next_probe_goes(console: RunningConsole) -> None:
    stand(console, circuit=CircuitState.OPEN, blocked_until=NOON + 30_000)
    assert lines(console, "status")[6] == (
        "shop: so many attempts failed that only probes are sent, the next one at "
        "2026-11-24T12:00:31Z; last failure 2026-11-24T12:00:00Z, attempt 2: no route to host; "
        "without waiting: hookplane resume shop"
    )


DISABLED = {"disabled_at": NOON, "disabled_reason": "410 Gone"}
OPEN = {"circuit": CircuitState.OPEN, "blocked_until": NOON + 30_000}
HELD = {"held_until": NOON + 30_000, "held_expression": ExpressionKind.FILTER}
PAUSED = {"failing_since": 0, "blocked_until": NOON + 10**12}
WAITS = [
    ({}, {"suspended": True}, "Suspended", "is suspended; set spec.suspend to false"),
    ({}, {"not_ready": "no Secret"}, "NotReady", "is not ready; mend this: no Secret"),
    (DISABLED, {}, "Disabled", "is Disabled; mend the target, then: hookplane resume shop"),
    (OPEN, {}, "CircuitOpen", "has an open circuit, the next probe at 2026-11-24T12:00:31Z; "),
    (HELD, {}, "Held", "is Held until 2026-11-24T12:00:31Z; until then, or until spec.filter.cel"),
    (PAUSED, {}, "Paused", "pauses until 2058-08-02T13:46:41Z, as its target asked; without wait"),
]
SLOW = [
    (
        {"rate": RateLimit(tokens=2, per=60_000, burst=2)},
        "delivery.rate",
        "sends at most 2 requests in 1 min (delivery.rate); 1 pending",
    ),
    (
        {"strict": True, "max_in_flight": 1},
        "delivery.ordering",
        "sends in order (delivery.ordering: Strict); what is tried again keeps back what came",
    ),
    ({}, "delivery.maxInFlight", "sends 16 at once (delivery.maxInFlight); retries that are due"),
]


@pytest.mark.parametrize(("facts", "config", "kind", "told"), WAITS, ids=[x[2] for x in WAITS])
def test_deliveries_say_why_they_wait(
    console: RunningConsole, facts: dict[str, Any], config: dict[str, Any], kind: str, told: str
) -> None:
    console.apply(subscription_row(**config))
    stand(console, **facts)
    until(lambda: f"waits: {kind}" in call(console, "deliveries", "shop").stdout, "it is known")
    shown = lines(console, "deliveries", "shop")
    assert shown[1].endswith(f"waits: {kind}")
    assert shown[3].endswith(f"due; {kind}")
    assert shown[-1].startswith(f"waits: shop {told}")


@pytest.mark.parametrize(("config", "kind", "told"), SLOW, ids=[x[1] for x in SLOW])
def test_deliveries_say_what_slows_them(
    console: RunningConsole, config: dict[str, Any], kind: str, told: str
) -> None:
    console.apply(subscription_row(**config))
    until(lambda: f"waits: {kind}" in call(console, "deliveries", "shop").stdout, "it is known")
    assert lines(console, "deliveries", "shop")[-1].startswith(f"waits: shop {told}")


def test_status_tells_what_the_rate_slows(console: RunningConsole) -> None:
    stand(console, failing_since=0, last_failure=0)
    console.apply(subscription_row(rate=RateLimit(tokens=2, per=60_000, burst=2)))
    told = "shop: sends at most 2 requests in 1 min (delivery.rate); 1 pending"
    until(lambda: told in lines(console, "status"), "the rate is known")


def test_what_is_worth_knowing_of_manifests() -> None:
    told = findings_of({"fault": "", "problems": [], "notes": [f"n{x}" for x in range(21)]})
    (text,) = told
    assert text.splitlines()[0] == "21 notes on the manifests, which are in force:"
    assert text.splitlines()[-1] == "  … 1 more note"


def test_deliveries_that_are_due_or_wait_for_another(console: RunningConsole) -> None:
    later = SystemClock().now() + 60_000
    claimed = console.run(console.store.claim(SHOP))
    row_of = Delivery(ORDERS, 3, event_id(3), "x", DeliveryState.RETRYING, 1, later, later)
    flush = Flush(SHOP, claimed.epoch, claimed.flush_number + 1, upserts=(row_of,))
    console.run(console.store.flush(flush))
    shown = lines(console, "deliveries", "shop", "--state", "retrying")
    assert shown[1].endswith(format_time(later))


def test_who_comes_behind_another_names_it(console: RunningConsole) -> None:
    console.apply(subscription_row(by_key=True))
    for number in (6, 7):
        event = NewEvent(ORDERS, event_id(number), NOON, "x", (), b"", key="a")
        console.run(console.store.append(event))
    claimed = console.run(console.store.claim(SHOP))
    first = Delivery(
        ORDERS, 6, event_id(6), "x", DeliveryState.RETRYING, 1, NOON, NOON, event_key="a"
    )
    flush = Flush(SHOP, claimed.epoch, claimed.flush_number + 1, upserts=(first,))
    console.run(console.store.flush(flush))
    told = f"waits for {event_id(6)}, which has the same key"
    until(lambda: told in lines(console, "deliveries", "shop")[1], "the order is known")


@pytest.mark.parametrize(
    ("pause", "told"), [(30_000, "; a pause that its target asked for is over"), (0, "")]
)
def test_resume_of_one_that_was_not_stopped(console: RunningConsole, pause: int, told: str) -> None:
    claimed = console.run(console.store.claim(SHOP))
    until_then = NOON + pause if pause else 0
    state = replace(STATE, circuit=CircuitState.CLOSED, blocked_until=until_then)
    flush = Flush(SHOP, claimed.epoch, claimed.flush_number + 1, state=state)
    console.run(console.store.flush(flush))
    assert lines(console, "resume", "shop")[0] == f"default/shop was not stopped{told}"


def test_events(console: RunningConsole) -> None:
    shown = lines(console, "events", "--type", "order.paid", "--endpoint", "orders")
    assert shown[0].split() == ["RECEIVED", "ENDPOINT", "TYPE", "KEY", "EVENT", "SIZE"]
    assert [line.split()[3] for line in shown[1:]] == [event_id(4), event_id(2)]
    assert lines(console, "events", "--type", "none") == ["No events in namespace default."]
    page = data(console, "events", "--limit", "2")
    assert page["next"] == event_id(4)
    older = data(console, "events", "--before", page["next"])
    assert [event["id"] for event in older["items"]] == [event_id(n) for n in (3, 2, 1)]


def test_one_event(console: RunningConsole) -> None:
    shown = lines(console, "events", event_id(3))
    assert f"event: {event_id(3)}" in shown
    assert "content-type: application/json" in shown
    assert shown[-1] == '{"number":3,"text":"ä<script>"}'
    assert "no event" in call(console, "events", event_id(9), code=1).output


def test_deliveries(console: RunningConsole) -> None:
    shown = lines(console, "deliveries", "--state", "dead,retrying")
    assert [line.split()[1] for line in shown[1:]] == [event_id(4), event_id(3)]
    assert shown[2].endswith("503 Service Unavailable   due")
    assert len(data(console, "deliveries", "--subscription", "shop")["items"]) == 5
    assert lines(console, "deliveries", "-n", "empty") == ["No deliveries in namespace empty."]
    refused = call(console, "deliveries", "--state", "lost", code=1).output
    assert 'state: no state "lost"' in refused


def test_attempts(console: RunningConsole) -> None:
    shown = lines(console, "attempts", "--subscription", "shop")
    assert [line.split()[2] for line in shown[1:]] == [event_id(n) for n in (4, 3, 1)]
    assert (
        "503 Service Unavailable   4 ms   busy \ufffd" in lines(console, "attempts", event_id(3))[1]
    )
    assert lines(console, "attempts", event_id(5)) == ["No attempts."]
    assert "no event" in call(console, "attempts", event_id(9), code=1).output


def test_replay(console: RunningConsole) -> None:
    told = lines(console, "replay", "shop", "--since", "1h", "--state", "dead,delivered")
    assert told[0].startswith("replay replay-")
    job = data(console, "replay", "shop", "--id", event_id(1), "--id", event_id(2))
    assert job["state"] == "Running"
    assert len(console.run(console.store.running_replays(SHOP))) == 2
    shown = lines(console, "status")
    assert shown[6].startswith("REPLAY ")
    assert shown[7].split()[1:6] == ["shop", "Running", "0", "0", "0"]


def test_replay_until_its_end(console: RunningConsole) -> None:
    """Nobody works on it here, so it is cancelled as soon as it is there."""
    cancelling = console.run(cancel_replays(console.store))
    told = lines(console, "replay", "shop", "--since", "1h", "--wait")
    assert "is Cancelled: 0 events, 0 delivered, 0 failed" in told[0]
    console.run(finished(cancelling))


DISABLED_WAITS = "waits: shop is Disabled; mend the target, then: hookplane resume shop"


def test_a_replay_says_once_what_it_waits_for(
    console: RunningConsole, capsys: pytest.CaptureFixture[str]
) -> None:
    """Disabled twice seen, then suspended, then over."""
    stand(console, **DISABLED)
    session = Session(AdminClient(console.url), "default", json=False)
    job = session.client.post("/replays", {"subscription": "default/shop", "since": "1h"})
    steps: Iterator[Callable[[], object]] = iter(
        [
            lambda: None,
            lambda: None,
            lambda: suspend(console),
            lambda: console.run(console.store.cancel_replay(running(console).uid)),
        ]
    )

    def pause(_: float) -> None:
        next(steps)()

    wait_for(session, job, pause)
    told = capsys.readouterr().err.splitlines()
    assert told[:2] == [f"replay {job['name']} began", DISABLED_WAITS]
    assert told[2:] == ["waits: shop is suspended; set spec.suspend to false in its manifest"]


def test_status_says_what_a_replay_waits_for(console: RunningConsole) -> None:
    stand(console, **DISABLED)
    job = data(console, "replay", "shop", "--since", "1h")
    assert f"{job['name']} {DISABLED_WAITS}" in lines(console, "status")


def test_a_replay_goes_on_when_nobody_waits_any_longer(
    console: RunningConsole, capsys: pytest.CaptureFixture[str]
) -> None:
    session = Session(AdminClient(console.url), "default", json=False)
    job = session.client.post("/replays", {"subscription": "default/shop", "since": "1h"})
    with pytest.raises(SystemExit) as stopped:
        wait_for(session, job, interrupt)
    assert stopped.value.code == 130
    told = f"replay {job['name']} goes on without you; see: hookplane status"
    assert told in capsys.readouterr().err.splitlines()
    assert running(console).name == job["name"]


def interrupt(_: float) -> None:
    raise KeyboardInterrupt


def suspend(console: RunningConsole) -> None:
    console.apply(subscription_row(suspended=True))
    until(lambda: data(console, "status")["subscriptions"][0]["suspended"], "it is suspended")


def running(console: RunningConsole) -> ReplayJob:
    (job,) = console.run(console.store.running_replays(SHOP))
    assert isinstance(job, ReplayJob)
    return job


async def cancel_replays(store: SQLiteStore) -> asyncio.Task[None]:
    """Cancels the jobs of SHOP as soon as the store tells of one."""
    asked = asyncio.Event()
    store.listen(Topic.SUBSCRIPTION, lambda _: asked.set())

    async def cancel() -> None:
        await asked.wait()
        for job in await store.running_replays(SHOP):
            await store.cancel_replay(job.uid)

    return asyncio.create_task(cancel())


async def finished(task: asyncio.Task[None]) -> None:
    await task


@pytest.mark.parametrize("options", [[], ["--since", "1h", "--id", event_id(1)]])
def test_replay_needs_one_way_to_say_what(console: RunningConsole, options: list[str]) -> None:
    assert "--since WHEN, or --id EVENT" in call(console, "replay", "shop", *options, code=2).output


def test_replay_says_what_is_wrong(console: RunningConsole) -> None:
    output = call(console, "replay", "shop", "--since", "yesterday", code=1).output
    assert 'since: "yesterday" is neither a time' in output


def test_a_replay_of_an_event_that_is_not_there_is_refused(console: RunningConsole) -> None:
    both = ("--id", event_id(1), "--id", event_id(9))
    assert f'no event "{event_id(9)}"' in call(console, "replay", "shop", *both, code=1).output
    assert console.run(console.store.running_replays(SHOP)) == []


def test_resume(console: RunningConsole) -> None:
    before = console.run(console.store.resume_requested(SHOP))
    told = lines(console, "resume", "shop")
    assert told[0] == "default/shop was not stopped"
    assert told[1:] == ["1 delivery that waited for another attempt: due now"]
    assert console.run(console.store.running_replays(SHOP)) == []
    assert console.run(console.store.resume_requested(SHOP)) == before + 1
    assert "there is: default/shop" in call(console, "resume", "nope", code=1).output


def test_resuming_one_that_is_not_ready_promises_nothing(console: RunningConsole) -> None:
    console.apply(subscription_row(not_ready="no Secret"))
    until(lambda: not data(console, "status")["subscriptions"][0]["ready"], "it is not ready")
    (line,) = lines(console, "resume", "shop")
    assert line == "default/shop is not ready, so nothing is sent; see: hookplane status"


def test_trigger(console: RunningConsole) -> None:
    assert lines(console, "trigger", "orders") == [
        f"sent order.created to orders: 200 {event_id(7)}"
    ]
    assert len(lines(console, "trigger", "default/orders", "--type", "x", "--count", "3")) == 3
    assert console.trigger.asked == [("orders", None)] + [("orders", "x")] * 3
    call(console, "trigger", "orders", "--type", "wrong", code=1)
    refused = call(console, "trigger", "orders", "--type", "refused", code=1)
    assert "no sample of this" in refused.output


def test_trigger_with_a_key_and_a_body(console: RunningConsole, tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text('{"ä":1}')
    for body, sent in ((f"@{file}", '{"ä":1}'), ('{"b":2}', '{"b":2}')):
        call(console, "trigger", "orders", "--key", "cus_1", "--body", body)
        assert console.trigger.wishes[-1] == SampleWish(None, "cus_1", sent)


def test_trigger_with_headers(console: RunningConsole) -> None:
    call(console, "trigger", "orders", "--header", "X-Shop: eu", "--header", "x-b:")
    assert console.trigger.wishes[-1].headers == (("x-shop", "eu"), ("x-b", ""))
    wrong = call(console, "trigger", "orders", "--header", "X-Shop", code=1).output
    assert "--header: 'X-Shop' is not 'Name: value'" in wrong
    refused = call(console, "trigger", "orders", "--header", "Host: x", code=1).output
    assert '"Host" is no header that can be chosen' in refused
    assert len(console.trigger.wishes) == 1


def test_a_body_that_cannot_be_sent_is_told(console: RunningConsole, tmp_path: Path) -> None:
    for content, message in ((b"x" * 40_000, "32,768 bytes"), (b"\xff", "this is not UTF-8")):
        file = tmp_path / "body"
        file.write_bytes(content)
        told = call(console, "trigger", "orders", "--body", f"@{file}", code=1).output
        assert message in told
        assert "docs/own-events.md" in told
    assert "cannot be read" in call(console, "trigger", "orders", "--body", "@/none", code=1).output
    assert console.trigger.wishes == []


def test_what_strangers_sent_steers_no_terminal(console: RunningConsole) -> None:
    console.apply(subscription_row("odd", not_ready="\x1b[2Jgone"))
    assert "\x1b" not in call(console, "status").output


def run_file(folder: Path, **facts: Any) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps({"pid": 1, "url": "http://127.0.0.1:1", **facts}))
    return str(folder)


def test_the_data_folder_says_where_the_api_is(console: RunningConsole, tmp_path: Path) -> None:
    folder = run_file(tmp_path / "data", admin=console.url)
    result = CliRunner().invoke(main, ["events", "--data", folder, "--json"])
    assert len(json.loads(result.stdout)["items"]) == 5


def test_the_environment_says_it_too(console: RunningConsole) -> None:
    result = CliRunner().invoke(main, ["events", "--json"], env={"HOOKPLANE_ADMIN": console.url})
    assert len(json.loads(result.stdout)["items"]) == 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "{folder}/none"], "run.json is not there: no `hookplane run` is at work"),
        (["--data", "{folder}/broken"], "run.json cannot be read; give --admin URL"),
        (["--admin", "http://127.0.0.1:1"], "nothing answers at http://127.0.0.1:1"),
        (["--admin", "ftp://x"], "is not a URL"),
        (["--admin", "http://"], "is not a URL"),
    ],
)
def test_what_is_not_there_is_said(words: list[str], message: str, tmp_path: Path) -> None:
    run_file(tmp_path / "broken")
    given = [word.format(folder=tmp_path) for word in words]
    result = CliRunner().invoke(main, ["events", *given])
    assert result.exit_code == 1
    assert message in result.output


def test_secret(tmp_path: Path) -> None:
    folder = tmp_path / "secrets" / "default"
    folder.mkdir(parents=True)
    (folder / "orders-verification.json").write_text('{"key":"whsec_AAAA","previous":"whsec_BB"}')

    def secret(*words: str) -> Result:
        return CliRunner().invoke(main, ["secret", *words, "--data", str(tmp_path)])

    assert secret("orders-verification").stdout == "whsec_AAAA\n"
    assert secret("orders-verification", "--key", "previous").stdout == "whsec_BB\n"
    assert "there is: orders-verification" in secret("orders").output
    assert "has no key other" in secret("orders-verification", "--key", "other").output
    assert "not a name" in secret("../default/orders-verification").output
    assert "not a name" in secret("orders-verification", "-n", "..").output


def test_tables() -> None:
    shown = table(("A", "LONGER"), [("wide cell", None), (1, "x\x1b")])
    assert shown == "A           LONGER\nwide cell\n1           x\ufffd"


def test_an_address_in_use_is_said() -> None:
    error = address_taken(("127.0.0.1", 9000), "--listen", OSError(errno.EADDRINUSE, "in use"))
    assert isinstance(error, click.ClickException)
    assert "127.0.0.1:9000 is in use; give another one with --listen" in error.message
