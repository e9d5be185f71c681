"""Everything between the wire and the store, one rule at a time, over HTTP."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from yarl import URL

from hookplane.config.base import RateLimit
from hookplane.config.endpoint import (
    Answer,
    ApiKey,
    Basic,
    EndpointConfig,
    Source,
    operational_endpoint,
)
from hookplane.providers.schemes import STANDARD
from hookplane.secret import Secret
from hookplane.signatures.request import sign_request
from hookplane.store.queries import Page
from hookplane.tracing import Step
from hookplane_receiver.event_reader import LONG
from hookplane_receiver.ingress.body_budget import ALLOWANCE
from hookplane_receiver.ingress.server import IngressLimits
from support.clocks.manual import ManualClock
from support.clocks.until import PATIENCE, until
from support.planes.receiver import NOW, WHSEC, Door, endpoint, open_door, operational

BODY = b'{"type":"order.created"}'
KEPT = "hookplane_unverified_bytes"
T = TypeVar("T")


def signed(
    body: bytes = BODY,
    key: str = WHSEC,
    id: str = "msg_1",  # noqa: A002
    now: int = NOW,
) -> list[tuple[str, str]]:
    return sign_request(STANDARD, Secret(key), method="POST", url="", body=body, id=id, now=now)


def keyed(**changes: Any) -> EndpointConfig:
    """An endpoint that believes an API key, so that bodies need no signature."""
    key = ApiKey(header="x-api-key", keys=(Secret("one"), Secret("two")))
    facts: dict[str, Any] = {"keys": [], "signature": None, "api_key": key}
    facts |= changes
    return endpoint(facts.pop("name", "e"), "Generic", **facts)


ONE = [("X-API-Key", "one")]


async def test_an_event_is_stored_as_it_came(tmp_path: Path) -> None:
    async with open_door(tmp_path, endpoint("e", store_headers=("x-trace",))) as door:
        extra = [
            ("Content-Type", "application/json"),
            ("X-Trace", "1"),
            ("Authorization", "Bearer x"),
            ("Cookie", "a=b"),
            ("X-Some-Token", "t"),
            ("Connection", "keep-alive"),
        ]
        answer = await door.send("/default/e", BODY, signed() + extra)
        assert answer.status == 200
        event_id = answer.json()["id"]
        entry, content = await door.store.find_event(event_id)
        assert (entry.type, entry.received, entry.size) == ("order.created", NOW, len(BODY))
        assert content.body == BODY
        names = [name for name, _ in content.headers]
        assert {"content-type", "x-trace", "webhook-id"} <= set(names)
        assert not {"authorization", "cookie", "x-some-token", "connection", "host"} & set(names)
        assert "webhook-signature" not in names
        assert door.activity.receipts == [("default/e", event_id, "order.created", False)]


async def test_a_duplicate_gets_the_answer_of_its_original(tmp_path: Path) -> None:
    """Also one with another body, where the user says which header makes requests the same."""
    config = endpoint("e", dedup_key=Source(header="x-order"))
    order = [("X-Order", "1")]
    async with open_door(tmp_path, config) as door:
        first = await door.send("/default/e", BODY, signed() + order)
        door.clock.advance(1000)
        again = await door.send("/default/e", BODY, signed(now=NOW + 1000) + order)
        other = await door.send("/default/e", b"{}", signed(b"{}") + order)
        assert first.body == again.body == other.body
        assert len(await door.events("e")) == 1
        await door.receiver.stop(1000)
        status = await door.status("e")
        assert (status.accepted, status.duplicates, status.conflicts) == (1, 2, 1)


async def test_where_repeats_are_identical_another_body_is_another_event(tmp_path: Path) -> None:
    async with open_door(tmp_path, endpoint("e")) as door:
        first = await door.send("/default/e", BODY, signed())
        other = await door.send("/default/e", b"{}", signed(b"{}"))
        again = await door.send("/default/e", b"{}", signed(b"{}"))
        assert first.body != other.body == again.body
        assert [row.entry.size for row in await door.events("e")] == [2, len(BODY)]
        await door.receiver.stop(1000)
        status = await door.status("e")
        assert (status.accepted, status.duplicates, status.conflicts) == (2, 1, 1)
        assert sample_of(door, "hookplane_conflicts_total") == door.activity.conflicts == 1


async def test_one_signed_body_is_one_event_whatever_id_and_type_it_comes_under(
    tmp_path: Path,
) -> None:
    body = b'{"action":"opened","issue":{"id":1}}'
    scheme = endpoint("github", "GitHub", keys=["k"]).signature
    assert scheme is not None
    proof = sign_request(scheme, Secret("k"), method="POST", url="", body=body, id="", now=NOW)
    claims = [("1", "issues"), ("2", "issues"), ("1", "push"), ("3", "release")]
    async with open_door(tmp_path, endpoint("github", "GitHub", keys=["k"])) as door:
        for delivery, kind in claims:
            claimed = [("X-GitHub-Delivery", delivery), ("X-GitHub-Event", kind)]
            answer = await door.send("/default/github", body, [*proof, *claimed])
            assert answer.status == 200
        (row,) = await door.events("github")
        assert row.entry.type == "issues.opened"


async def test_one_signed_order_of_shopify_s_is_stored_once_for_each_topic(tmp_path: Path) -> None:
    body = b'{"id":1,"updated_at":"2026-11-21T00:00:00Z","line_items":[]}'
    config = endpoint("shop", "Shopify", keys=["k"])
    assert config.signature is not None
    proof = sign_request(
        config.signature, Secret("k"), method="POST", url="", body=body, id="", now=NOW
    )
    claims = [("1", "orders/create"), ("2", "orders/create"), ("1", "orders/paid")]
    async with open_door(tmp_path, config) as door:
        for webhook, topic in claims:
            claimed = [("X-Shopify-Webhook-Id", webhook), ("X-Shopify-Topic", topic)]
            answer = await door.send("/default/shop", body, [*proof, *claimed])
            assert answer.status == 200
        stored = [row.entry.type for row in await door.events("shop")]
    assert sorted(stored) == ["orders/create", "orders/paid"]


async def test_only_headers_that_somebody_has_named_are_stored_and_no_credential(
    tmp_path: Path,
) -> None:
    type_in = Source(header="x-routing-key")
    config = endpoint("e", event_type=type_in, store_headers=("x-region", "x-partner-key"))
    more = [("X-Routing-Key", "orders"), ("X-Partner-Key", "hunter2"), ("X-Auth", "hunter2")]
    async with open_door(tmp_path, config) as door:
        headers = [*signed(), *more, ("X-Region", "eu"), ("X-Partner", "hunter2")]
        await door.send("/default/e", BODY, headers)
        (row,) = await door.events("e")
        assert row.entry.type == "orders"
        contents = await door.store.read_contents(config.uid, [row.entry.sequence])
    kept = dict(contents[row.entry.sequence].headers)
    assert (kept["x-routing-key"], kept["x-region"]) == ("orders", "eu")
    assert not [name for name, value in kept.items() if value == "hunter2"]
    assert not [name for name in kept if "signature" in name]


async def test_who_cannot_pass_by_headers_is_refused_before_the_body(tmp_path: Path) -> None:
    """The body never comes; and what comes of it after the answer is no next request."""
    basic = Basic(username="u", passwords=(Secret("p"),))
    endpoints = [
        endpoint("signed"),
        endpoint("github", "GitHub", keys=["k"]),
        keyed(name="key"),
        keyed(name="basic", api_key=None, basic=basic),
        keyed(name="bearer", api_key=None, bearer=(Secret("t"),)),
    ]
    async with open_door(tmp_path, *endpoints) as door:
        for config in endpoints:
            reader, writer = await asyncio.open_connection("127.0.0.1", URL(door.url).port)
            writer.write(head(config.path, 1000))
            answer = await asyncio.wait_for(reader.readuntil(b"Unauthorized\n"), PATIENCE)
            assert b" 401 " in answer
            writer.write(b"x" * 1000 + head("/nowhere", 0))
            answer = await asyncio.wait_for(reader.readuntil(b"Not Found\n"), PATIENCE)
            assert answer.count(b"HTTP/1.1") == 1
            writer.close()
            await writer.wait_closed()


async def test_a_body_that_finds_no_room_is_a_503(tmp_path: Path) -> None:
    """Its sender is told when to come back, and the endpoint's people that it happens."""
    limits = IngressLimits(body_timeout=300, unverified_bytes=100_000)
    async with open_door(tmp_path, endpoint("e"), limits=limits) as door:
        large = b"x" * 300_000
        answer = await door.send("/default/e", large, signed(large))
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert door.registry.get_sample_value(KEPT) == 0
        small = b"x" * 110_000
        assert (await door.send("/default/e", small, signed(small, id="msg_2"))).status == 200
        await door.receiver.stop(1000)
        assert (await door.status("e")).rejected == {"NoRoomForBody": 1}


async def test_what_strangers_keep_can_be_seen(tmp_path: Path) -> None:
    async with open_door(tmp_path, endpoint("e")) as door:
        _, writer = await asyncio.open_connection("127.0.0.1", URL(door.url).port)
        forged = [f"{name}: {value}".encode() for name, value in signed()]
        writer.write(head("/default/e", 1_000_000, *forged) + bytes(900_000))
        taken = 1_000_000 - ALLOWANCE
        await until(lambda: door.registry.get_sample_value(KEPT) == taken, "the body")
        writer.transport.abort()
        await until(lambda: door.registry.get_sample_value(KEPT) == 0, "its end")


WRONG_HEADERS = {
    "signature twice": [*signed(), ("webhook-signature", "v1,x")],
    "no id": [header for header in signed() if header[0] != "webhook-id"],
    "no time": [header for header in signed() if header[0] != "webhook-timestamp"],
    "no signature of this kind": [("webhook-id", "a"), ("webhook-signature", "v9,x")],
}


@pytest.mark.parametrize("headers", WRONG_HEADERS.values(), ids=list(WRONG_HEADERS))
async def test_no_body_makes_these_headers_right(
    tmp_path: Path, headers: list[tuple[str, str]]
) -> None:
    async with open_door(tmp_path, endpoint("signed")) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", URL(door.url).port)
        extra = [f"{name}: {value}".encode() for name, value in headers]
        writer.write(head("/default/signed", 1000, *extra))
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
        assert answer.split()[1] in (b"400", b"401")
        writer.close()
        await writer.wait_closed()


def head(path: str, length: int, *headers: bytes) -> bytes:
    line = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}".encode()
    return b"\r\n".join([line, *headers, b"", b""])


async def test_behind_the_window_a_key_is_new(tmp_path: Path) -> None:
    config = keyed(dedup_key=Source(body_path="id"), dedup_window=60_000)
    async with open_door(tmp_path, config) as door:
        await door.send("/default/e", b'{"id":1}', ONE)
        door.clock.advance(59_000)
        await door.send("/default/e", b'{"id":1}', ONE)
        assert len(await door.events("e")) == 1
        door.clock.advance(2_000)
        await door.send("/default/e", b'{"id":1}', ONE)
        assert len(await door.events("e")) == 2


async def test_without_a_dedup_key_every_request_is_an_event(tmp_path: Path) -> None:
    async with open_door(tmp_path, keyed()) as door:
        for _ in range(2):
            assert (await door.send("/default/e", BODY, ONE)).status == 200
        assert len(await door.events("e")) == 2


@pytest.mark.parametrize("size", [0, LONG])
async def test_keys_are_read_digit_for_digit_however_long_the_body_is(
    tmp_path: Path, size: int
) -> None:
    source = Source(body_path="id")
    config = keyed(dedup_key=source, event_key=source, event_type=source)
    async with open_door(tmp_path, config) as door:
        bodies = [b'{"id":%b,"x":"%b"}' % (x, b"x" * size) for x in (b"1.50", b"1.5", b"1.50")]
        for body in bodies:
            await door.send("/default/e", body, ONE)
        found = sorted((row.entry.key, row.entry.type) for row in await door.events("e"))
    assert found == [("1.5", "1.5"), ("1.50", "1.5")]


HARMLESS_BODIES = [
    b"",
    b"\xff\xfe\x00",
    b"[" * 10_000,
    b'{"a":1,"a":2}',
    b"NaN",
    b'{"x":1e400}',
    gzip.compress(b"0" * 100_000),
]


@pytest.mark.parametrize("body", HARMLESS_BODIES)
async def test_any_signed_bytes_are_stored_as_they_are(tmp_path: Path, body: bytes) -> None:
    async with open_door(tmp_path, endpoint("e")) as door:
        headers = [*signed(body), ("Content-Encoding", "gzip"), ("X-Odd", "\u00e9")]
        answer = await door.send("/default/e", body, headers)
        assert answer.status == 200
        _, content = await door.store.find_event(answer.json()["id"])
        assert content.body == body


PATHS = [
    "/",
    "/default",
    "/default/other",
    "/default/e/",
    "/default//e",
    "//default/e",
    "/default/../default/e",
    "/default/%65",
    "/DEFAULT/e",
    "/default/%2e%2e/e",
    "/default/e%00",
    "/default/operational",
    "",
]


@pytest.mark.parametrize("path", PATHS)
async def test_other_paths_are_not_found(tmp_path: Path, path: str) -> None:
    async with open_door(tmp_path, endpoint("e"), operational()) as door:
        answer = await door.send(path, BODY, signed())
        assert (answer.status, answer.body) == (404, b"Not Found\n")
        assert await door.events("e") == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_are_told_which_are_allowed(tmp_path: Path, method: str) -> None:
    async with open_door(tmp_path, endpoint("e")) as door:
        answer = await door.send("/default/e", method=method)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


NOT_SERVED: list[tuple[dict[str, Any], str]] = [
    ({"not_ready": "Secret keys has no key a"}, "NotReady"),
    ({"keys": []}, "NotReady"),
    ({"keys": [""]}, "NotReady"),
    ({"keys": [" \n"]}, "NotReady"),
    ({"keys": ["whsec_?"]}, "NotReady"),
    ({"keys": [WHSEC, ""]}, "NotReady"),
    ({"suspended": True}, "Suspended"),
    ({"signature": None}, "NotReady"),
    ({"api_key": ApiKey(header="x-api-key", keys=())}, "NotReady"),
    ({"bearer": (Secret(" "),)}, "NotReady"),
    ({"basic": Basic(username="u", passwords=(Secret(""),))}, "NotReady"),
]


@pytest.mark.parametrize(("changes", "reason"), NOT_SERVED)
async def test_what_is_not_ready_or_suspended_is_asked_to_come_back(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    async with open_door(tmp_path, endpoint("e", **changes)) as door:
        answer = await door.send("/default/e", BODY, signed())
        assert (answer.status, answer.body) == (503, b"Service Unavailable\n")
        assert int(answer.headers["Retry-After"]) > 0
        assert door.activity.rejections[0][1] == reason
        assert await door.events("e") == []


OLD, NEW, THIRD = (f"whsec_{letter * 24}" for letter in "ABC")


async def test_rotation_has_no_gap(tmp_path: Path) -> None:
    old, new, third = OLD, NEW, THIRD
    async with open_door(tmp_path, endpoint("e", keys=[old])) as door:
        assert (await door.send("/default/e", BODY, signed(key=old, id="1"))).status == 200
        await door.configure(endpoint("e", keys=[old, new]))
        for number, key in enumerate((old, new, old)):
            headers = signed(key=key, id=f"2{number}")
            assert (await door.send("/default/e", BODY, headers)).status == 200
        await door.configure(endpoint("e", keys=[new]))
        assert (await door.send("/default/e", BODY, signed(key=new, id="3"))).status == 200
        assert (await door.send("/default/e", BODY, signed(key=old, id="4"))).status == 401
        assert (await door.send("/default/e", BODY, signed(key=third, id="5"))).status == 401


async def test_the_key_of_one_endpoint_does_not_open_another(tmp_path: Path) -> None:
    mine, theirs = endpoint("a", keys=[OLD]), endpoint("b", keys=[NEW])
    async with open_door(tmp_path, mine, theirs) as door:
        assert (await door.send("/default/b", BODY, signed(key=OLD))).status == 401
        assert (await door.send("/default/a", BODY, signed(key=OLD))).status == 200


async def test_an_endpoint_that_is_gone_is_not_found(tmp_path: Path) -> None:
    async with open_door(tmp_path, endpoint("e")) as door:
        assert (await door.send("/default/e", BODY, signed())).status == 200
        await door.configure(gone=("webhookendpoints/default/e",))
        assert (await door.send("/default/e", BODY, signed())).status == 404


API_KEYS = [
    (ONE, 200),
    ([("x-api-key", "two")], 200),
    ([("X-API-Key", "three")], 401),
    ([("X-API-Key", "")], 401),
    ([], 401),
    ([*ONE, *ONE], 400),
]


@pytest.mark.parametrize(("headers", "status"), API_KEYS)
async def test_api_keys(tmp_path: Path, headers: list[tuple[str, str]], status: int) -> None:
    async with open_door(tmp_path, keyed()) as door:
        assert (await door.send("/default/e", BODY, headers)).status == status


def basic(text: str) -> list[tuple[str, str]]:
    return [("Authorization", "Basic " + base64.b64encode(text.encode()).decode())]


BASIC = [
    (basic("user:pass"), 200),
    (basic("user:next"), 200),
    ([("Authorization", basic("user:pass")[0][1].replace("Basic", "bAsIc"))], 200),
    (basic("user:wrong"), 401),
    (basic("other:pass"), 401),
    (basic("user:"), 401),
    (basic("user"), 401),
    ([("Authorization", "Basic !!!")], 401),
    ([("Authorization", "Bearer pass")], 401),
    (basic("user:pass") * 2, 400),
    ([], 401),
]


@pytest.mark.parametrize(("headers", "status"), BASIC)
async def test_basic(tmp_path: Path, headers: list[tuple[str, str]], status: int) -> None:
    passwords = (Secret("pass"), Secret("next"))
    config = keyed(api_key=None, basic=Basic(username="user", passwords=passwords))
    async with open_door(tmp_path, config) as door:
        assert (await door.send("/default/e", BODY, headers)).status == status


BEARER = [
    ("Bearer tok", 200),
    ("bearer tok", 200),
    ("Bearer other", 401),
    ("Bearer", 401),
    ("tok", 401),
    ("Basic tok", 401),
]


@pytest.mark.parametrize(("value", "status"), BEARER)
async def test_bearer(tmp_path: Path, value: str, status: int) -> None:
    config = keyed(api_key=None, bearer=(Secret("old"), Secret("tok")))
    async with open_door(tmp_path, config) as door:
        headers = [("Authorization", value)]
        assert (await door.send("/default/e", BODY, headers)).status == status
        assert (await door.send("/default/e?access_token=tok", BODY)).status == 401


@pytest.mark.parametrize(
    ("layer", "header"),
    [
        ({}, "x-api-key"),
        (
            {"api_key": None, "basic": Basic(username="u", passwords=(Secret("p"),))},
            "authorization",
        ),
        ({"api_key": None, "bearer": (Secret("tok"),)}, "authorization"),
    ],
)
async def test_it_is_told_whether_credentials_are_missing_or_wrong(
    tmp_path: Path, layer: dict[str, Any], header: str
) -> None:
    async with open_door(tmp_path, keyed(**layer)) as door:
        await door.send("/default/e", BODY, [])
        await door.send("/default/e", BODY, [(header, "wrong")])
        missing, wrong = (rejection[2] for rejection in door.activity.rejections)
        assert missing.startswith(f"header {header} is missing")
        assert "does not match" in wrong


async def test_every_layer_must_pass(tmp_path: Path) -> None:
    config = endpoint("e", api_key=keyed().api_key)
    async with open_door(tmp_path, config) as door:
        assert (await door.send("/default/e", BODY, signed())).status == 401
        assert (await door.send("/default/e", BODY, ONE)).status == 401
        assert (await door.send("/default/e", BODY, ONE + signed())).status == 200
        reasons = [rejection[1] for rejection in door.activity.rejections]
        assert reasons == ["ApiKeyMismatch", "SignatureMissing"]


SOURCES = [
    ("203.0.113.0/24", (), "203.0.113.9", 403),  # nobody is believed about addresses
    ("127.0.0.0/8", (), "203.0.113.9", 200),
    ("203.0.113.0/24", ("127.0.0.1/32",), "203.0.113.9", 200),
    ("203.0.113.0/24", ("127.0.0.1/32",), "203.0.113.9, 198.51.100.1", 403),
    ("203.0.113.0/24", ("127.0.0.1/32", "198.51.100.0/24"), "203.0.113.9, 198.51.100.1", 200),
    ("203.0.113.0/24", ("127.0.0.1/32",), "203.0.113.9, nonsense", 403),
    ("203.0.113.0/24", ("127.0.0.1/32",), "", 403),
    ("2001:db8::/32", ("127.0.0.1/32",), "2001:db8::7", 200),
    ("203.0.113.0/24", ("127.0.0.1/32",), "::ffff:203.0.113.9", 200),
]


@pytest.mark.parametrize(("allowed", "proxies", "forwarded", "status"), SOURCES)
async def test_sources(
    tmp_path: Path, allowed: str, proxies: tuple[str, ...], forwarded: str, status: int
) -> None:
    config = keyed(sources=(allowed,))
    async with open_door(tmp_path, config, trusted_proxies=proxies) as door:
        headers = [*ONE, ("X-Forwarded-For", forwarded)]
        assert (await door.send("/default/e", BODY, headers)).status == status


async def test_the_rate_is_kept_and_says_when_to_come_back(tmp_path: Path) -> None:
    config = keyed(rate=RateLimit(tokens=1, per=10_000, burst=2))
    async with open_door(tmp_path, config) as door:
        answers = [await door.send("/default/e", BODY, ONE) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert answers[2].headers["Retry-After"] == "10"
        door.clock.advance(10_000)
        assert (await door.send("/default/e", BODY, ONE)).status == 200


def by(*sources: str) -> list[list[tuple[str, str]]]:
    """Headers of requests that came from these addresses through a trusted proxy."""
    return [[("X-Forwarded-For", source)] for source in sources]


async def test_strangers_use_up_no_rate_but_that_of_their_own_address(tmp_path: Path) -> None:
    """And cannot make us verify without end. A /64 is one address."""
    once = RateLimit(tokens=1, per=10_000, burst=1)
    endpoints = [keyed(rate=once), endpoint("signed", rate=once)]
    stranger, same, good, another = by("2001:db8::1", "2001:db8::2", "203.0.113.1", "203.0.113.2")
    known = {"/default/e": ONE, "/default/signed": signed()}
    forged = [
        (name, "v1,AAAA") if name == "webhook-signature" else (name, value)
        for name, value in signed()
    ]
    async with open_door(tmp_path, *endpoints, trusted_proxies=("127.0.0.1/32",)) as door:
        for path, right in known.items():
            assert (await door.send(path, BODY, forged + stranger)).status == 401
            refused = await door.send(path, BODY, right + same)
            assert (refused.status, refused.headers["Retry-After"]) == (429, "10")
            assert (await door.send(path, BODY, right + good)).status == 200
            assert (await door.send(path, BODY, right + another)).status == 429


async def test_a_rate_in_use_by_strangers_leaves_all_of_it_to_the_sender(tmp_path: Path) -> None:
    config = keyed(rate=RateLimit(tokens=5, per=10_000, burst=5))
    async with open_door(tmp_path, config, trusted_proxies=("127.0.0.1/32",)) as door:
        for stranger in by(*[f"198.51.100.{x}" for x in range(50)]):
            assert (await door.send("/default/e", BODY, stranger)).status == 401
        [good] = by("203.0.113.1")
        answers = [await door.send("/default/e", BODY, ONE + good) for _ in range(6)]
        assert [x.status for x in answers] == [200] * 5 + [429]


async def test_a_body_over_the_endpoints_limit_is_refused(tmp_path: Path) -> None:
    async with open_door(tmp_path, keyed(max_body_size=100)) as door:
        assert (await door.send("/default/e", b"x" * 100, ONE)).status == 200
        answer = await door.send("/default/e", b"x" * 101, ONE)
        assert answer.status == 413
        assert answer.headers["Connection"] == "close"


async def test_the_answer_can_be_chosen(tmp_path: Path) -> None:
    answer = Answer(status=201, content_type="text/x", body='{"a":"{event.id}","b":"{other}"}')
    async with open_door(tmp_path, keyed(answer=answer)) as door:
        got = await door.send("/default/e", BODY, ONE)
        [row] = await door.events("e")
        assert got.status == 201
        assert got.headers["Content-Type"] == "text/x"
        assert got.body.decode() == f'{{"a":"{row.entry.event_id}","b":"{{other}}"}}'


async def test_an_answer_without_content_has_none(tmp_path: Path) -> None:
    async with open_door(tmp_path, keyed(answer=Answer(status=204))) as door:
        got = await door.send("/default/e", BODY, ONE)
        assert (got.status, got.body) == (204, b"")


async def test_a_repeated_dedup_header_is_malformed(tmp_path: Path) -> None:
    config = keyed(dedup_key=Source(header="x-id"), event_type=Source(header="x-type"))
    async with open_door(tmp_path, config) as door:
        for name in ("X-Id", "X-Type"):
            headers = [*ONE, (name, "1"), (name, "2")]
            assert (await door.send("/default/e", BODY, headers)).status == 400


async def test_what_an_event_is_about_is_kept_with_it(tmp_path: Path) -> None:
    """One that does not say it, or not as it should, is accepted and counted."""
    config = keyed(event_key=Source(body_path="data.customer"))
    bodies = (b'{"data": {"customer": "cus_1"}}', b'{"data": {"customer": ["x"]}}', b"no json")
    async with open_door(tmp_path, config) as door:
        for body in bodies:
            assert (await door.send("/default/e", body, ONE)).status == 200
        assert [row.entry.key for row in await door.events("e")] == ["", "", "cus_1"]
        assert sample_of(door, "hookplane_events_without_key_total") == 2


async def test_a_header_that_says_what_an_event_is_about_comes_once(tmp_path: Path) -> None:
    """And is kept, though its name looks like that of a credential."""
    config = keyed(event_key=Source(header="x-customer-key"))
    async with open_door(tmp_path, config) as door:
        key = ("X-Customer-Key", "cus_1")
        assert (await door.send("/default/e", BODY, [*ONE, key, key])).status == 400
        assert (await door.send("/default/e", BODY, [*ONE, key])).status == 200
        (row,) = await door.events("e")
        assert row.entry.key == "cus_1"


async def test_a_type_from_a_header_is_cut_to_what_can_be_shown(tmp_path: Path) -> None:
    async with open_door(tmp_path, keyed(event_type=Source(header="x-type"))) as door:
        await door.send("/default/e", BODY, [*ONE, ("X-Type", "a" * 500)])
        await door.send("/default/e", BODY, ONE)
        types = {row.entry.type for row in await door.events("e")}
        assert types == {"unknown", "a" * 128}


async def test_numbers_reach_store_and_metrics(tmp_path: Path) -> None:
    async with open_door(tmp_path, endpoint("e")) as door:
        await door.send("/default/e", BODY, signed())
        for _ in range(3):
            await door.send("/default/e", BODY, signed(key=NEW))
        await door.send("/nowhere")
        assert sample_of(door, "hookplane_received_total", result="stored") == 1
        assert sample_of(door, "hookplane_rejected_total", reason="SignatureMismatch") == 3
        assert sample_of(door, "hookplane_ingest_bytes_total") == len(BODY)
        assert door.registry.get_sample_value("hookplane_unrouted_total") == 1
        await door.receiver.stop(1000)
        status = await door.status("e")
        assert status.rejected == {"SignatureMismatch": 3}
        assert status.last_rejected == NOW
        assert (
            status.last_rejected_detail == "signature does not match (1 key tried), from 127.0.0.1"
        )


async def test_a_post_to_a_path_that_no_endpoint_has_is_told(tmp_path: Path) -> None:
    async with open_door(tmp_path, endpoint("e")) as door:
        await door.send("/default/f?token=secret")
        await door.send("/favicon.ico", method="GET")
        assert door.activity.unrouted_paths == [("/default/f", "127.0.0.1", ("/default/e",))]


def sample_of(door: Door, name: str, **labels: str) -> float | None:
    return door.registry.get_sample_value(name, {"endpoint": "default/e", **labels})


async def test_rejections_are_told_as_an_operational_event_once(tmp_path: Path) -> None:
    async with open_door(tmp_path, endpoint("e"), operational()) as door:
        for _ in range(2):
            await door.send("/default/e", BODY, signed(key=NEW))
        await door.receiver.stop(1000)
        [row] = (await door.store.events(Page(), log_id=operational_endpoint("default"))).rows
        assert row.entry.type == "hookplane.endpoint.rejecting"
        _, content = await door.store.find_event(row.entry.event_id)
        data = json.loads(content.body)["data"]
        assert (data["name"], data["reason"]) == ("e", "SignatureMismatch")
        assert data["message"].startswith("2 requests rejected")


async def test_the_journal_is_not_flooded_by_one_sender(tmp_path: Path) -> None:
    async with open_door(tmp_path, keyed()) as door:
        await asyncio.gather(*[door.send("/default/e", BODY) for _ in range(60)])
        assert len(door.activity.rejections) == 20
        assert sample_of(door, "hookplane_rejected_total", reason="ApiKeyMismatch") == 60


async def test_a_store_that_is_away_is_a_503(tmp_path: Path) -> None:
    async with open_door(tmp_path, endpoint("e")) as door:
        await door.lose_store()
        answer = await door.send("/default/e", BODY, signed())
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "5"


async def test_a_bad_document_leaves_the_good_one_in_force(tmp_path: Path) -> None:
    async with open_door(tmp_path, endpoint("e")) as door:
        await door.configure(endpoint("e", handshake="NoSuch"))
        assert (await door.send("/default/e", BODY, signed())).status == 200


async def test_a_receiver_is_ready_between_start_and_stop(tmp_path: Path) -> None:
    async with open_door(tmp_path, endpoint("e"), clock=ManualClock()) as door:
        assert door.receiver.ready
        await door.receiver.stop(1000)
        assert not door.receiver.ready


class RecordingTracer:
    """Remembers the spans, each with the name of the exception that left it."""

    def __init__(self) -> None:
        self.spans: list[tuple[Step, str, str, str]] = []

    async def trace(self, step: Step, event_id: str, subject: str, work: Awaitable[T]) -> T:
        error = ""
        try:
            return await work
        except Exception as caught:
            error = type(caught).__name__
            raise
        finally:
            self.spans.append((step, event_id, subject, error))


async def test_an_append_is_a_span_of_its_event(tmp_path: Path) -> None:
    tracer = RecordingTracer()
    async with open_door(tmp_path, endpoint("e"), tracer=tracer) as door:
        answer = await door.send("/default/e", BODY, signed())
        assert tracer.spans == [(Step.APPEND, answer.json()["id"], "default/e", "")]


async def test_a_refused_request_has_no_span(tmp_path: Path) -> None:
    tracer = RecordingTracer()
    async with open_door(tmp_path, endpoint("e"), tracer=tracer) as door:
        assert (await door.send("/default/e", BODY)).status == 401
        assert tracer.spans == []


async def test_a_span_ends_with_the_error_of_the_store(tmp_path: Path) -> None:
    tracer = RecordingTracer()
    async with open_door(tmp_path, endpoint("e"), tracer=tracer) as door:
        await door.lose_store()
        assert (await door.send("/default/e", BODY, signed())).status == 503
        [(step, _, subject, error)] = tracer.spans
        assert (step, subject, error) == (Step.APPEND, "default/e", "StoreUnavailable")
