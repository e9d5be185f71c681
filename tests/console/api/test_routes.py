"""The admin API over real HTTP, on a real store."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hookplane.store.config_store import ConfigChange, ConfigKind
from hookplane.store.delivery_store import Delivery, DeliveryState, Flush
from hookplane.store.event_log import NewEvent
from support.clocks.blocking import until
from support.planes.console import (
    NOON,
    ORDERS,
    SHOP,
    STATE,
    TOP_SECRET,
    RunningConsole,
    endpoint_row,
    event_id,
    running_console,
    subscription_row,
)

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def console(tmp_path: Path) -> Iterator[RunningConsole]:
    with running_console(tmp_path) as running:
        yield running


def ask(
    console: RunningConsole,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(console.url).netloc, timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def get(console: RunningConsole, path: str, status: int = 200) -> Any:
    code, _, body = ask(console, "GET", "/api/v1" + path)
    assert code == status, body
    assert TOP_SECRET.encode() not in body
    return json.loads(body)


def post(console: RunningConsole, path: str, body: Any, status: int) -> Any:
    code, _, answer = ask(console, "POST", "/api/v1" + path, json.dumps(body).encode(), JSON)
    assert code == status, answer
    return json.loads(answer)


def test_health(console: RunningConsole) -> None:
    assert ask(console, "GET", "/healthz")[0] == 200
    status, _, body = ask(console, "GET", "/readyz")
    assert (status, json.loads(body)["ready"]) == (200, True)
    console.parts["receiver"] = False
    status, _, body = ask(console, "GET", "/readyz")
    assert status == 503
    assert json.loads(body) == {"ready": False, "parts": {"receiver": False, "dispatcher": True}}


def test_metrics(console: RunningConsole) -> None:
    status, headers, body = ask(console, "GET", "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    assert b"hookplane_test_total 1.0" in body


def test_index_names_the_paths(console: RunningConsole) -> None:
    _, _, body = ask(console, "GET", "/")
    assert "/api/v1/events/{id}/body" in json.loads(body)["paths"]


def test_endpoints(console: RunningConsole) -> None:
    assert get(console, "/endpoints") == {
        "items": [
            {
                "namespace": "default",
                "name": "orders",
                "provider": "StandardWebhooks",
                "builtin": False,
                "url": "http://127.0.0.1:8080/default/orders",
                "ready": True,
                "message": "",
                "suspended": False,
                "state": "Receiving",
                "requests": {
                    "accepted": 5,
                    "stored": 5,
                    "duplicates": 2,
                    "conflicts": 0,
                    "rejected": 4,
                    "rejectedByReason": {"SignatureMismatch": 3, "TooLarge": 1},
                    "lastAcceptedTime": "2026-11-24T11:59:01Z",
                    "lastRejected": {
                        "time": "2026-11-24T12:00:01Z",
                        "reason": "SignatureMismatch",
                        "message": "signature does not match (1 key tried)",
                    },
                },
            }
        ],
        "next": None,
    }


def test_subscriptions(console: RunningConsole) -> None:
    one = get(console, "/subscriptions/default/shop")
    assert get(console, "/subscriptions")["items"] == [one]
    assert one["endpoints"] == ["default/orders"]
    assert (one["target"], one["ready"], one["state"]) == ("shop.test", True, "Failing")
    delivery = one["delivery"]
    numbers = ("delivered", "filtered", "pending", "sending", "retrying", "dead", "expired")
    assert [delivery[name] for name in numbers] == [1, 1, 1, 0, 1, 1, 0]
    assert delivery["nextRetryTime"] == "2026-11-24T12:00:06Z"
    assert delivery["lastSuccess"]["eventID"] == event_id(1)
    assert delivery["lastFailure"] == {
        "time": "2026-11-24T12:00:00Z",
        "eventID": event_id(4),
        "statusCode": 0,
        "message": "no route to host",
        "attempt": 2,
    }
    assert {failure["state"] for failure in one["recentFailures"]} == {"retrying", "dead"}


def test_events_page_by_page(console: RunningConsole) -> None:
    first = get(console, "/events?limit=2")
    assert [event["id"] for event in first["items"]] == [event_id(5), event_id(4)]
    second = get(console, f"/events?limit=2&before={first['next']}")
    assert [event["id"] for event in second["items"]] == [event_id(3), event_id(2)]
    last = get(console, f"/events?limit=2&before={second['next']}")
    assert [event["id"] for event in last["items"]] == [event_id(1)]
    assert last["next"] is None


def test_events_of_a_kind(console: RunningConsole) -> None:
    paid = get(console, "/events?endpoint=orders&type=order.paid")["items"]
    assert [event["id"] for event in paid] == [event_id(4), event_id(2)]
    assert get(console, "/events?endpoint=other", 404)["error"]["message"].endswith(
        "there is: default/orders"
    )


def test_a_name_says_its_namespace_itself(console: RunningConsole) -> None:
    for path, field in (
        ("/events?endpoint=orders", "endpoint"),
        ("/attempts?subscription=shop", "subscription"),
    ):
        error = get(console, f"{path}&namespace=default", 400)["error"]
        assert error == {"field": "namespace", "message": f"goes without {field}"}
    assert get(console, "/events?namespace=chat")["items"] == []
    assert get(console, "/attempts?namespace=chat")["items"] == []


def test_one_event(console: RunningConsole) -> None:
    event = get(console, f"/events/{event_id(3)}")
    assert event["headers"] == [["content-type", "application/json"]]
    assert event["bodyPreview"] == '{"number":3,"text":"ä<script>"}'
    assert event["bodyTruncated"] is False
    assert event["endpoint"] == "default/orders"
    assert get(console, f"/events/{event_id(9)}", 404)["error"]["field"] == ""


def test_a_body_is_nothing_that_a_browser_renders(console: RunningConsole) -> None:
    _, headers, body = ask(console, "GET", f"/api/v1/events/{event_id(3)}/body")
    assert body == b'{"number":3,"text":"\xc3\xa4<script>"}'
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"].startswith("attachment")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]


def test_deliveries(console: RunningConsole) -> None:
    items = get(console, "/deliveries?subscription=shop")["items"]
    assert {item["eventID"]: item["state"] for item in items} == {
        event_id(5): "pending",
        event_id(4): "dead",
        event_id(3): "retrying",
        event_id(2): "filtered",
        event_id(1): "delivered",
    }
    some = get(console, "/deliveries?subscription=default/shop&state=dead,Retrying")["items"]
    assert [item["eventID"] for item in some] == [event_id(4), event_id(3)]
    assert some[1]["nextRetryTime"] == "2026-11-24T12:00:06Z"
    assert some[0]["nextRetryTime"] is None
    assert get(console, "/deliveries", 400)["error"]["field"] == "subscription"


def test_who_waits_for_whom_by_key(console: RunningConsole) -> None:
    """6 is RETRYING, and 7 and 8 have its key; 9 has another."""
    console.apply(subscription_row(by_key=True))
    for number in range(6, 10):
        key = "b" if number == 9 else "a"
        event = NewEvent(ORDERS, event_id(number), NOON, "x", (), b"", key=key)
        console.run(console.store.append(event))
    claimed = console.run(console.store.claim(SHOP))
    rows = [
        Delivery(ORDERS, n, event_id(n), "x", state, 0, NOON, NOON, event_key="a")
        for n, state in ((6, DeliveryState.RETRYING), (7, DeliveryState.BEHIND))
    ]
    flush = Flush(SHOP, claimed.epoch, claimed.flush_number + 1, upserts=tuple(rows))
    console.run(console.store.flush(flush))
    waiting = {7: event_id(6), 8: event_id(6)}
    until(lambda: delivery_of(console, 8)["waitsForEventID"], "the order is known")
    for number in range(1, 10):
        assert delivery_of(console, number)["waitsForEventID"] == waiting.get(number)


def test_the_first_of_its_key_names_no_other(console: RunningConsole) -> None:
    """The one before it was delivered, and the flush that would say so has not been yet."""
    console.apply(subscription_row(by_key=True))
    console.run(console.store.append(NewEvent(ORDERS, event_id(6), NOON, "x", (), b"", key="a")))
    claimed = console.run(console.store.claim(SHOP))
    behind = Delivery(
        ORDERS, 6, event_id(6), "x", DeliveryState.BEHIND, 0, NOON, NOON, event_key="a"
    )
    flush = Flush(
        SHOP,
        claimed.epoch,
        claimed.flush_number + 1,
        upserts=(replace(behind, error="waits for an earlier event with the same key"),),
    )
    console.run(console.store.flush(flush))
    until(lambda: not delivery_of(console, 6)["message"], "the order is known")
    assert delivery_of(console, 6)["waitsForEventID"] is None


def delivery_of(console: RunningConsole, number: int) -> Any:
    items = get(console, "/deliveries?subscription=shop")["items"]
    return next(item for item in items if item["eventID"] == event_id(number))


def test_events_of_others_do_not_wait(console: RunningConsole) -> None:
    """The fifth is an order.created, and no cursor has passed it."""
    console.apply(subscription_row(types=("order.paid",)))
    until(lambda: state_of(console, 5) == "filtered", "the console knows the types")


def state_of(console: RunningConsole, number: int) -> str:
    return str(delivery_of(console, number)["state"])


def test_a_filter_that_failed_is_told_from_one_that_refused(console: RunningConsole) -> None:
    claimed = console.run(console.store.claim(SHOP))
    state = replace(
        STATE,
        filter_failed=NOON,
        filter_failed_event=event_id(2),
        filter_failed_error="no such key",
    )
    flush = Flush(SHOP, claimed.epoch, claimed.flush_number + 1, state=state)
    console.run(console.store.flush(flush))
    items = get(console, "/deliveries?subscription=shop")["items"]
    assert {x["eventID"]: x["filterError"] for x in items if x["filterError"]} == {
        event_id(2): "no such key"
    }


def test_attempts(console: RunningConsole) -> None:
    of_event = get(console, f"/attempts?event={event_id(3)}")["items"]
    assert len(of_event) == 1
    assert of_event[0]["message"] == "503 Service Unavailable"
    assert of_event[0]["answer"] == "busy \ufffd"
    of_subscription = get(console, "/attempts?subscription=shop")["items"]
    assert [item["eventID"] for item in of_subscription] == [event_id(n) for n in (4, 3, 1)]
    assert get(console, "/attempts?limit=1")["next"] == event_id(4)


def test_replay_by_range(console: RunningConsole) -> None:
    body = {"subscription": "shop", "since": "1h", "states": ["dead"]}
    job = post(console, "/replays", body, 201)
    assert (job["subscription"], job["state"]) == ("default/shop", "Running")
    assert get(console, "/replays")["items"] == [job]
    assert get(console, f"/replays/default/{job['name']}") == job
    assert get(console, "/replays?namespace=chat")["items"] == []
    get(console, "/replays/default/other", 404)


def test_replay_by_id(console: RunningConsole) -> None:
    job = post(console, "/replays", {"subscription": "shop", "ids": [event_id(1)]}, 201)
    [running] = console.run(console.store.running_replays(SHOP))
    assert running.uid == f"requestedreplays/default/{job['name']}"
    page = console.run(console.store.replay_page(running.uid, 10))
    assert [candidate.entry.event_id for candidate in page.candidates] == [event_id(1)]


def test_resume(console: RunningConsole) -> None:
    before = console.run(console.store.resume_requested(SHOP))
    post(console, "/subscriptions/default/shop/resume", {}, 202)
    assert console.run(console.store.resume_requested(SHOP)) == before + 1
    post(console, "/subscriptions/default/other/resume", {}, 404)


def test_a_suspended_one_is_not_resumed_here(console: RunningConsole) -> None:
    console.apply(subscription_row(suspended=True))
    until(lambda: get(console, "/subscriptions/default/shop")["suspended"], "suspended")
    error = post(console, "/subscriptions/default/shop/resume", {}, 409)["error"]
    assert "suspend: true" in error["message"]


def test_trigger(console: RunningConsole) -> None:
    path = "/endpoints/default/orders/trigger"
    assert post(console, path, {"type": "order.paid"}, 200) == {
        "type": "order.paid",
        "statusCode": 200,
        "answer": '{"id":"…"}',
        "eventID": event_id(7),
    }
    post(console, path, {}, 200)
    assert console.trigger.asked == [("orders", "order.paid"), ("orders", None)]
    refused = post(console, path, {"type": "refused"}, 409)
    assert refused["error"]["message"] == "no sample of this"
    assert post(console, path, {"type": 5}, 400)["error"]["field"] == "type"
    assert post(console, path, {"kind": "x"}, 400)["error"]["field"] == "kind"


def test_a_console_without_the_right_shows_all_and_signs_nothing(tmp_path: Path) -> None:
    with running_console(tmp_path, may_sign=False) as console:
        assert get(console, "/endpoints/default/orders")["ready"] is True
        assert get(console, "/subscriptions/default/shop")["ready"] is True
        refused = post(console, "/endpoints/default/orders/trigger", {}, 403)
    assert "console.trigger: true in the gateway's spec" in refused["error"]["message"]


def test_new_config_is_followed(console: RunningConsole) -> None:
    console.apply(endpoint_row("bot", "chat", not_ready="Secret bot is missing"))
    bot = until(lambda: get(console, "/endpoints?namespace=chat")["items"], "bot")[0]
    assert (bot["ready"], bot["state"], bot["message"]) == (False, None, "Secret bot is missing")
    gone = ConfigChange(deletes=((ConfigKind.ENDPOINT, "webhookendpoints/chat/bot"),))
    console.run(console.store.apply_config(gone))
    until(lambda: not get(console, "/endpoints?namespace=chat")["items"], "no bot")


def test_built_in_endpoints_have_no_url_and_take_no_samples(console: RunningConsole) -> None:
    console.apply(endpoint_row("events", builtin=True))
    until(lambda: len(get(console, "/endpoints")["items"]) == 2, "two endpoints")
    assert get(console, "/endpoints/default/events")["url"] is None
    post(console, "/endpoints/default/events/trigger", {}, 409)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/api/v1/endpoints", {"Host": "evil.example"}, 421),
        ("GET", "/metrics", {"Host": "evil.example"}, 421),
        ("GET", "/api/v1/endpoints", {"Origin": "http://evil.example"}, 403),
        ("POST", "/api/v1/replays", {"Content-Type": "text/plain"}, 415),
        ("POST", "/api/v1/replays", {}, 415),
        ("GET", "/api/v1/nothing", {}, 404),
        ("DELETE", "/api/v1/events", JSON, 405),
        ("GET", "/api/v1/events?limit=501", {}, 400),
        ("GET", "/api/v1/events?before=%00", {}, 400),
        ("GET", "/api/v1/endpoints/default/..%2f..%2fetc", {}, 400),
    ],
)
def test_refusals_have_one_form(
    console: RunningConsole, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    code, given, body = ask(console, method, path, None, headers)
    assert code == status, body
    assert set(json.loads(body)["error"]) == {"field", "message"}
    assert given["Cache-Control"] == "no-store"


def test_large_bodies_are_refused(console: RunningConsole) -> None:
    code, _, body = ask(console, "POST", "/api/v1/replays", b" " * 65_537, JSON)
    assert code == 413
    assert "error" in json.loads(body)


def test_a_store_that_is_away_is_said(console: RunningConsole) -> None:
    console.close_store()
    assert get(console, "/events", 503)["error"]["message"].startswith("the store")


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/events?since=1h", "before, endpoint, key, limit, namespace, type"),
        ("/deliveries?subscription=shop&since=1h", "before, limit, state, subscription"),
        ("/attempts?since=1h", "before, event, limit, namespace, subscription"),
        ("/endpoints?since=1h", "namespace"),
        ("/endpoints/default/orders?since=1h", "none"),
    ],
)
def test_a_parameter_that_would_be_ignored_is_refused(
    console: RunningConsole, path: str, known: str
) -> None:
    error = get(console, path, 400)["error"]
    assert error == {"field": "since", "message": f"unknown parameter; there is: {known}"}
