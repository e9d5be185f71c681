"""Event types and deduplication keys: one table per question."""

from __future__ import annotations

import hashlib
import itertools
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookplane.config.endpoint import Source
from hookplane.providers import registry
from hookplane.providers.extract import Facts, dedup_key, event_key, event_type
from hookplane.providers.registry import EXTRACTORS, event_key_reader, key_reader, reader
from hookplane.secret import Secret

FORM = (("content-type", "application/x-www-form-urlencoded"),)
Headers = tuple[tuple[str, str], ...]


def facts(body: Any, headers: Headers = ()) -> Facts:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Facts(headers, raw)


def whatsapp(**value: Any) -> dict[str, Any]:
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", **value}}
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}


def messenger(*items: dict[str, Any], kind: str = "page") -> dict[str, Any]:
    addressed = [{"sender": {"id": "1"}, "recipient": {"id": "2"}, **item} for item in items]
    return {"object": kind, "entry": [{"id": "2", "messaging": addressed}]}


def field(name: str, value: Any = None) -> dict[str, Any]:
    return {"object": "page", "entry": [{"id": "2", "changes": [{"field": name, "value": value}]}]}


def at(time: int, body: dict[str, Any]) -> dict[str, Any]:
    """The same, told at another time."""
    return {**body, "entry": [{**entry, "time": time} for entry in body["entry"]]}


GITHUB = (("x-github-event", "issues"),)
TYPES: list[tuple[str, Any, Headers, str]] = [
    ("StandardWebhooks", {"type": "order.created"}, (), "order.created"),
    ("StandardWebhooks", {"type": {"a": 1}}, (), "unknown"),
    ("StandardWebhooks", b"no json", (), "unknown"),
    ("WhatsApp", whatsapp(messages=[{"id": "m"}]), (), "messages"),
    ("WhatsApp", whatsapp(statuses=[{"id": "m"}]), (), "statuses"),
    # Somebody who filters receipts out must not lose the message.
    ("WhatsApp", whatsapp(statuses=[{"id": "s"}], messages=[{"id": "m"}]), (), "messages"),
    ("WhatsApp", field("account_update", {"event": "X"}), (), "account_update"),
    ("WhatsApp", b"test", (), "unknown"),
    ("Messenger", messenger({"message": {"mid": "m"}}), (), "messages"),
    ("Messenger", messenger({"message": {"mid": "m", "is_echo": True}}), (), "message_echoes"),
    *(
        ("Messenger", messenger({member: {"x": 1}}), (), name)
        for member, name in {
            "pass_thread_control": "messaging_handovers",
            "take_thread_control": "messaging_handovers",
            "request_thread_control": "messaging_handovers",
            "app_roles": "messaging_handovers",
            "account_linking": "messaging_account_linking",
            "policy_enforcement": "messaging_policy_enforcement",
            "policy-enforcement": "messaging_policy_enforcement",
            "game_play": "messaging_game_plays",
            "messaging_feedback": "messaging_feedback",  # named as its field is
        }.items()
    ),
    ("Messenger", messenger({"delivery": {"mids": ["m"]}}), (), "message_deliveries"),
    ("Messenger", messenger({"read": {"watermark": 1}}), (), "message_reads"),
    ("Messenger", messenger({"postback": {"mid": "m"}}), (), "messaging_postbacks"),
    ("Messenger", messenger({"delivery": {}}, {"message": {"mid": "m"}}), (), "messages"),
    ("Messenger", messenger({"brand_new": {}}), (), "brand_new"),
    ("Messenger", field("feed"), (), "feed"),
    ("Instagram", messenger({"read": {"mid": "m"}}, kind="instagram"), (), "messaging_seen"),
    ("Instagram", field("comments", {"id": "c"}), (), "comments"),
    ("Telegram", {"update_id": 1, "message": {}}, (), "message"),
    ("Telegram", {"callback_query": {}, "update_id": 1}, (), "callback_query"),
    ("Telegram", {"update_id": 1}, (), "unknown"),
    ("Discord", {"type": 2, "id": "1"}, (), "APPLICATION_COMMAND"),
    ("Discord", {"type": 9}, (), "9"),
    ("Discord", {"type": 1, "event": {"type": "ENTITLEMENT_CREATE"}}, (), "ENTITLEMENT_CREATE"),
    ("Stripe", {"id": "evt_1", "type": "invoice.paid"}, (), "invoice.paid"),
    ("GitHub", {"action": "opened"}, GITHUB, "issues.opened"),
    ("GitHub", {"ref": "x"}, GITHUB, "issues"),
    ("GitHub", b"Hello, World!", GITHUB, "issues"),
    ("GitHub", b"payload=%7B%22action%22%3A%22opened%22%7D", GITHUB + FORM, "issues.opened"),
    ("GitHub", {"action": "opened"}, (), "unknown"),
    ("GitLab", {}, (("x-gitlab-event", "Push Hook"),), "Push Hook"),
    ("Slack", {"type": "event_callback", "event": {"type": "app_mention"}}, (), "app_mention"),
    ("Slack", {"type": "app_rate_limited"}, (), "app_rate_limited"),
    ("Slack", b"command=%2Fweather&text=", FORM, "slash_command"),
    ("Slack", b"payload=%7B%22type%22%3A%22block_actions%22%7D", FORM, "block_actions"),
    ("Shopify", {"id": 1}, (("x-shopify-topic", "orders/create"),), "orders/create"),
    ("Svix", {"type": "user.created"}, (), "user.created"),
    ("Generic", {}, (), "unknown"),
]


@pytest.mark.parametrize(("provider", "body", "headers", "wanted"), TYPES)
def test_event_types(provider: str, body: Any, headers: Headers, wanted: str) -> None:
    source = registry.get(provider).event_type
    assert event_type(reader(source), facts(body, headers)) == wanted


MESSAGE_1 = {"id": "m1"}
MESSAGE_2 = {"id": "m2"}
SENT = {"id": "m1", "status": "sent", "timestamp": "1"}
READ = {"id": "m1", "status": "read", "timestamp": "2"}
DIFFERENT: list[tuple[str, Any, Any]] = [
    # Meta may send [m1] and then [m1, m2]; m2 must not be lost.
    ("WhatsApp", whatsapp(messages=[MESSAGE_1]), whatsapp(messages=[MESSAGE_1, MESSAGE_2])),
    # A receipt carries the id of its message.
    ("WhatsApp", whatsapp(messages=[MESSAGE_1]), whatsapp(statuses=[MESSAGE_1])),
    ("WhatsApp", whatsapp(statuses=[SENT]), whatsapp(statuses=[READ])),
    ("WhatsApp", whatsapp(messages=[MESSAGE_1]), whatsapp(messages=[MESSAGE_1], errors=[1])),
    ("Messenger", messenger({"message": {"mid": "a"}}), messenger({"postback": {"mid": "a"}})),
    ("Messenger", messenger({"read": {"watermark": 1}}), messenger({"read": {"watermark": 2}})),
    (
        "Messenger",
        messenger({"message": {"mid": "a"}}),
        messenger({"message": {"mid": "a"}}, {"read": {"watermark": 2}}),
    ),
    ("Instagram", field("comments", {"id": "a"}), field("comments", {"id": "b"})),
    ("Telegram", {"update_id": 1}, {"update_id": 2}),
    ("Stripe", {"id": "evt_1"}, {"id": "evt_2"}),
    ("Slack", {"event_id": "a"}, {"event_id": "b"}),
    # A message that is unsent or edited, and what a group's members did with it, carry its id.
    (
        "Instagram",
        messenger({"message": {"mid": "a"}}),
        messenger({"message": {"mid": "a", "is_deleted": True}}),
    ),
    (
        "Messenger",
        messenger({"message": {"mid": "a"}}),
        messenger({"message": {"mid": "a", "is_echo": True}}),
    ),
    (
        "Instagram",
        messenger({"message_edit": {"mid": "a", "num_edit": 1}}),
        messenger({"message_edit": {"mid": "a", "num_edit": 2}}),
    ),
    (
        "Messenger",
        messenger({"timestamp": 1, "reaction": {"mid": "a", "action": "react"}}),
        messenger({"timestamp": 1, "reaction": {"mid": "a", "action": "unreact"}}),
    ),
    (
        "WhatsApp",
        whatsapp(messages=[{"id": "a", "type": "text"}]),
        whatsapp(messages=[{"id": "a", "type": "edit"}]),
    ),
    (
        "WhatsApp",
        whatsapp(statuses=[{**READ, "recipient_participant_id": "1"}]),
        whatsapp(statuses=[{**READ, "recipient_participant_id": "2"}]),
    ),
    (
        "WhatsApp",
        whatsapp(statuses=[{**SENT, "errors": [{"code": 1}]}]),
        whatsapp(statuses=[{**SENT, "errors": [{"code": 2}]}]),
    ),
    (
        "WhatsApp",
        whatsapp(messages=[MESSAGE_1], metadata={"phone_number_id": "1"}),
        whatsapp(messages=[MESSAGE_1], metadata={"phone_number_id": "2"}),
    ),
    # Several apps and hooks may share a URL.
    ("Slack", {"api_app_id": "A", "event_id": "a"}, {"api_app_id": "B", "event_id": "a"}),
    (
        "Slack",
        {"type": "shortcut", "trigger_id": "t"},
        {"type": "view_submission", "trigger_id": "t"},
    ),
    ("Stripe", {"id": "e", "account": "a"}, {"id": "e", "account": "b"}),
    ("Stripe", {"id": "e", "api_version": "a"}, {"id": "e", "api_version": "b"}),
    ("Discord", {"id": "1", "application_id": "a"}, {"id": "1", "application_id": "b"}),
    ("Telegram", {"update_id": 1}, {"update_id": "1"}),
    ("Telegram", b'{"update_id":18446744073709551616}', b'{"update_id":18446744073709551617}'),
    ("Telegram", b'{"update_id":"\xf0"}', b'{"update_id":"\xf1"}'),
]


@pytest.mark.parametrize(("provider", "one", "other"), DIFFERENT)
def test_different_events_have_different_keys(provider: str, one: Any, other: Any) -> None:
    key = key_of(provider, one)
    assert key is None or key != key_of(provider, other)


SAME: list[tuple[str, Any, Any]] = [
    # Sent again, with something around it that changes.
    (
        "WhatsApp",
        whatsapp(messages=[MESSAGE_1], contacts=[1]),
        whatsapp(messages=[MESSAGE_1], contacts=[2]),
    ),
    ("WhatsApp", at(1, whatsapp(messages=[MESSAGE_1])), at(2, whatsapp(messages=[MESSAGE_1]))),
    (
        "Messenger",
        at(1, messenger({"message": {"mid": "a"}})),
        at(2, messenger({"message": {"mid": "a"}})),
    ),
    ("Messenger", messenger({"message": {"mid": "a"}}), messenger({"message": {"mid": "a"}})),
    ("Telegram", {"update_id": 1, "a": 1}, {"update_id": 1, "a": 2}),
    ("Stripe", {"id": "evt_1", "pending": 1}, {"id": "evt_1", "pending": 2}),
    ("Slack", {"event_id": "a", "token": 1}, {"event_id": "a", "token": 2}),
]


@pytest.mark.parametrize(("provider", "one", "other"), SAME)
def test_the_same_event_has_the_same_key(provider: str, one: Any, other: Any) -> None:
    assert key_of(provider, one) is not None
    assert key_of(provider, one) == key_of(provider, other)


def key_of(
    provider: str, body: Any, headers: Headers = (), secret: bytes = b"token"
) -> bytes | None:
    source = registry.get(provider).variant([Secret(secret)]).dedup_key
    assert source is not None
    return dedup_key(key_reader(source), facts(body, headers))


BY_HEADERS = [
    ("GitHub", b"", "x-github-delivery", ("x-github-hook-id", "x-github-event")),
    ("GitLab", b"", "idempotency-key", ("x-gitlab-webhook-uuid", "x-gitlab-instance")),
    ("GitLab", b"whsec_AAAA", "webhook-id", ()),
    ("Shopify", b"", "x-shopify-webhook-id", ("x-shopify-shop-domain", "x-shopify-topic")),
    ("Shopify", b"", "x-shopify-event-id", ("x-shopify-shop-domain", "x-shopify-name")),
    ("StandardWebhooks", b"", "webhook-id", ()),
    ("Svix", b"", "svix-id", ()),
]


@pytest.mark.parametrize(("provider", "secret", "own", "beside"), BY_HEADERS)
def test_keys_in_headers(provider: str, secret: bytes, own: str, beside: tuple[str, ...]) -> None:
    """All parts count; without the id that the provider gives there is no key."""
    values = itertools.product("12", repeat=1 + len(beside))
    keys = [
        key_of(provider, b"", tuple(zip((own, *beside), each, strict=True)), secret)
        for each in values
    ]
    assert len(set(keys)) == len(keys)
    assert None not in keys
    assert key_of(provider, b"", ((own, "1"),), secret) is not None
    assert key_of(provider, b"", tuple((name, "1") for name in beside), secret) is None


def test_all_parts_of_a_slash_command_count() -> None:
    fields = ("api_app_id", "command", "trigger_id")
    keys = [
        key_of("Slack", urlencode(list(zip(fields, each, strict=True))).encode(), FORM)
        for each in itertools.product("12", repeat=3)
    ]
    assert len(set(keys)) == len(keys)
    assert None not in keys


@pytest.mark.parametrize("headers", [(), (("content-type", "text/plain"),)])
def test_what_does_not_say_that_it_is_a_form_is_none(headers: Headers) -> None:
    body = b"command=%2Fweather&trigger_id=1&payload=%7B%22type%22%3A%22x%22%7D"
    assert facts(body, FORM).form["command"] == "/weather"
    assert (facts(body, headers).form, facts(body, headers).message) == ({}, {})


ODD: list[Any] = [1, "x", None, [1], {"changes": 1}, {"changes": [1, None, "x"]}]
ODD += [{"messaging": ["x", 1]}, {"messaging": {}}, {"changes": [{"field": {}, "value": 1}]}]


@pytest.mark.parametrize("provider", ["WhatsApp", "Messenger", "Instagram"])
@pytest.mark.parametrize("entry", ODD)
def test_what_stands_where_an_object_belongs_is_passed_over(provider: str, entry: Any) -> None:
    alone = {"object": "page", "entry": [entry]}
    assert key_of(provider, alone) is None
    message = messenger({"message": {"mid": "m"}})["entry"][0]
    beside = {"object": "page", "entry": [entry, message]}
    source = registry.get(provider).event_type
    assert event_type(reader(source), facts(beside)) == "messages"


NO_KEY: list[tuple[str, Any]] = [
    ("Stripe", b"no json"),
    ("Stripe", {"type": "a"}),
    ("WhatsApp", b"test"),
    ("WhatsApp", {"object": "whatsapp_business_account", "entry": []}),
    ("WhatsApp", field("account_update", {"event": "X"})),
    ("WhatsApp", whatsapp(messages=[MESSAGE_1, {"type": "unknown"}])),
    ("Messenger", messenger({"brand_new": {"x": 1}})),
    ("Slack", {"type": "app_rate_limited"}),
    ("Discord", {"type": 1, "event": {"type": "ENTITLEMENT_CREATE"}}),
    ("Telegram", {"message": {}}),
]


@pytest.mark.parametrize(("provider", "body"), NO_KEY)
def test_without_an_id_there_is_no_key(provider: str, body: Any) -> None:
    """Equal bodies alone are not the same event."""
    assert key_of(provider, body) is None


def test_parts_that_are_cut_elsewhere_are_another_key() -> None:
    one = (("x-github-delivery", "a1:b"), ("x-github-hook-id", "c"))
    other = (("x-github-delivery", "a"), ("x-github-hook-id", "1:bc"))
    assert key_of("GitHub", b"", one) != key_of("GitHub", b"", other)


DELIVERY = (("x-github-delivery", "a"), ("x-github-hook-id", "1"), ("x-github-event", "push"))
CLAIMS: list[Headers] = [
    (("x-github-delivery", "b"), *DELIVERY[1:]),
    (("x-github-hook-id", "2"), *DELIVERY[:1]),
    (("x-github-event", "issues"), *DELIVERY[:2]),
    (*DELIVERY, *FORM),
    (*DELIVERY, ("content-type", "application/json")),
    (),
]
PUSH = {"before": "a", "after": "b", "repository": {"pushed_at": 1700000000}}
ISSUE = {"id": 1, "updated_at": "2026-11-21T00:00:00Z"}
ONE_OCCURRENCE: list[Any] = [
    PUSH,
    {"action": "opened", "issue": {"id": 1}},
    {"action": "created", "comment": {"id": 1}, "issue": {}},
    {"action": "created", "deployment_status": {"id": 1}},
    {"action": "submitted", "review": {"id": 1}},
    {"action": "closed", "issue": ISSUE},
    {"action": "edited", "comment": {}, "issue": ISSUE},
    {"action": "synchronize", "pull_request": ISSUE},
    {"action": "completed", "workflow_run": ISSUE},
    urlencode({"payload": json.dumps(PUSH)}).encode(),
]


@pytest.mark.parametrize("body", ONE_OCCURRENCE)
@pytest.mark.parametrize("claim", CLAIMS)
def test_what_nobody_signed_makes_no_other_event_of_a_body(body: Any, claim: Headers) -> None:
    key = key_of("GitHub", body, DELIVERY)
    assert key is not None
    assert key_of("GitHub", body, claim) == key


def test_another_body_is_another_occurrence() -> None:
    keys = {key_of("GitHub", body, DELIVERY) for body in ONE_OCCURRENCE}
    assert len(keys) == len(ONE_OCCURRENCE)


SENT_AGAIN: list[Any] = [
    {"action": "added", "member": {"id": 1}, "repository": {"pushed_at": 1}},
    {"action": "deleted", "starred_at": None, "repository": {"updated_at": "x"}},
    {"action": "created", "member": {"id": 1}},
    {"action": "closed", "milestone": ISSUE},
    {"action": "resolved", "pull_request": ISSUE, "thread": {}},
    {"action": "edited", "review": {"id": 1}, "pull_request": ISSUE},
    {"action": "opened", "issue": {"id": None}},
    {"action": "closed", "issue": {"id": 1}},
    {"inputs": {}, "ref": "main", "workflow": "x.yml", "repository": {"pushed_at": 1}},
    {"zen": "Design for failure.", "hook_id": 1},
    {"after": "b", "repository": {}},
    [],
    b"no json",
    b"payload=%5B%5D",
]

CREATED = (
    ("x-shopify-topic", "orders/create"),
    ("x-shopify-webhook-id", "a"),
    ("x-shopify-shop-domain", "one.myshopify.com"),
)
SHOPIFY_CLAIMS: list[Headers] = [
    (*CREATED[:1], ("x-shopify-webhook-id", "b"), *CREATED[2:]),
    (*CREATED[:2], ("x-shopify-shop-domain", "other.myshopify.com")),
    (*CREATED, ("x-shopify-name", "b"), ("x-shopify-api-version", "2026-10")),
    (*CREATED[:1], ("x-shopify-event-id", "c"), ("x-shopify-sub-topic", "d")),
    CREATED[:1],
]
ORDER = {**ISSUE, "line_items": []}
ONE_STATE: list[Any] = [
    ORDER,
    {**ORDER, "id": "cart"},
    {**ISSUE, "variants": [{}]},
    {**ISSUE, "order_id": 2},
    {**ISSUE, "verified_email": True},
]


@pytest.mark.parametrize("body", ONE_STATE)
@pytest.mark.parametrize("claim", SHOPIFY_CLAIMS)
def test_a_state_of_an_object_of_shopify_is_one_event_of_a_topic(body: Any, claim: Headers) -> None:
    key = key_of("Shopify", body, CREATED)
    assert key is not None
    assert key_of("Shopify", body, claim) == key


def test_each_topic_and_each_state_of_an_order_is_an_event() -> None:
    paid = (("x-shopify-topic", "orders/paid"), *CREATED[1:])
    later = {**ORDER, "updated_at": "2026-11-21T00:00:01Z"}
    keys = {key_of("Shopify", body, to) for body in (ORDER, later) for to in (CREATED, paid)}
    assert len(keys) == 4


STATELESS: list[Any] = [
    {**ISSUE, "myshopify_domain": "one.myshopify.com"},
    {**ISSUE, "role": "main"},
    {"id": 1, "order_id": 2, "created_at": "2026-11-21T00:00:00Z"},
    {"id": None, "updated_at": "2026-11-21T00:00:00Z", "line_items": []},
    {"id": 1, "updated_at": None, "line_items": []},
    {"id": 1},
    [],
    b"no json",
]


@pytest.mark.parametrize("body", STATELESS)
def test_bodies_that_shopify_may_send_about_several_occurrences_go_by_the_webhook(
    body: Any,
) -> None:
    assert key_of("Shopify", body, CREATED) != key_of("Shopify", body, SHOPIFY_CLAIMS[0])
    assert key_of("Shopify", body, CREATED) == key_of("Shopify", b"other", CREATED)


@pytest.mark.parametrize("body", SENT_AGAIN)
def test_bodies_that_github_sends_about_several_occurrences_go_by_the_delivery(body: Any) -> None:
    keys = [key_of("GitHub", body, headers) for headers in (DELIVERY, *CLAIMS[:3])]
    assert len(set(keys)) == len(keys)
    assert None not in keys
    assert key_of("GitHub", body) is None


def test_long_keys_are_hashed() -> None:
    assert key_of("Svix", b"", (("svix-id", "a" * 64),)) == b"a" * 64
    assert key_of("Svix", b"", (("svix-id", "a" * 65),)) == hashlib.sha256(b"a" * 65).digest()


PATHS: list[tuple[Any, str, str]] = [
    ({"message": {"id": "a"}}, "message.id", "a"),
    ({"items": [{"id": 7}]}, "items.0.id", "7"),
    ([{"id": 1.5}], "0.id", "1.5"),
    ({"a": True}, "a", "true"),
    ({"a": None}, "a", ""),
    ({"a": [1]}, "a", ""),
    ({"a": [1]}, "a.1", ""),
    ({"a": [1]}, "a.-1", ""),
    ({"a": "text"}, "a.b", ""),
    ("text", "a", ""),
]


@pytest.mark.parametrize(("body", "path", "wanted"), PATHS)
def test_paths_into_the_body(body: Any, path: str, wanted: str) -> None:
    assert reader(Source(body_path=path)).read(facts(body)) == wanted


KEYS: list[tuple[bytes, str]] = [
    (b'"a"', "a"),
    (b"1", "1"),
    (b"1.0", "1.0"),
    (b"1e2", "1e2"),
    (b'"1"', '"1"'),
    (b"true", "true"),
    (b'"true"', '"true"'),
    (b'"\\"1\\""', '"\\"1\\""'),
    (b"18446744073709551615", "18446744073709551615"),
    (b"170141183460469231731687303715884105729", "170141183460469231731687303715884105729"),
    (b"20261128.0000000000002", "20261128.0000000000002"),
    (b"1" * 5_000, "1" * 5_000),
    (b"NaN", "NaN"),
    (b"null", ""),
    (b"[1]", ""),
]


@pytest.mark.parametrize(("value", "wanted"), KEYS)
def test_a_key_in_the_body_is_as_it_is_written(value: bytes, wanted: str) -> None:
    found = key_reader(Source(body_path="id")).read(facts(b'{"id":%b}' % value))
    assert found == wanted


PARTS = key_reader(Source(parts=(Source(header="x-system"), Source(body_path="id"))))


def parts_key(system: str, number: bytes) -> str:
    return PARTS.read(Facts([("x-system", system)] if system else [], b'{"id":%b}' % number))


def test_a_key_of_several_parts_is_all_of_them() -> None:
    keys = {parts_key(*parts) for parts in (("a", b"1"), ("a", b'"1"'), ("b", b"1"), ("a1", b"1"))}
    assert len(keys) == 4
    assert "" not in keys
    assert parts_key("a", b"1") == parts_key("a", b"1")


@pytest.mark.parametrize(("system", "number"), [("", b"1"), ("a", b"null"), ("a", b'""')])
def test_without_one_of_its_parts_there_is_no_key(system: str, number: bytes) -> None:
    assert parts_key(system, number) == ""


def test_headers_of_all_parts_may_come_once() -> None:
    assert PARTS.headers == ("x-system",)


BAD_CHARACTERS = [
    b'"\\ud83d"',
    b'"\\udc00\\ud83d"',
    b'"\\u0000"',
    b'"\x00\n\x1f"',
    b'"\xff\xc3"',
    b'"\xed\xa0\x80"',
    b"NaN",
    b"-Infinity",
    b"1e400",
    b"9" * 10_000,
]


@pytest.mark.parametrize("character", BAD_CHARACTERS)
def test_one_bad_character_hides_no_type_and_no_key(character: bytes) -> None:
    for form in (b'{"text":%b,"type":"t","id":"k"}', b'\xef\xbb\xbf{"id":"k","type":"t","x":%b}'):
        body = facts(form % character)
        assert event_type(reader(Source(body_path="type")), body) == "t"
        assert dedup_key(key_reader(Source(body_path="id")), body) == b"k"


ODD_TYPES = [("a" * 200, "a" * 128), ("a\nb\x00", "ab"), ("  ", "unknown"), ("\udcff", "unknown")]


@pytest.mark.parametrize(("text", "wanted"), ODD_TYPES)
def test_types_are_short_and_printable(text: str, wanted: str) -> None:
    assert event_type(reader(Source(value=text)), Facts((), b"")) == wanted


HOSTILE = [
    b"[" * 10_000,
    b'{"entry":' * 500 + b"1" + b"}" * 500,
    b'{"a":NaN}',
    b'{"a":1e400}',
    b"\xff\xfe",
    b'{"id":"\\ud800"}',
    b'{"id":1,"id":2}',
    b"payload=" + b"%5B" * 2000,
    b"&".join(b"a=1" for _ in range(1000)),
]


@pytest.mark.parametrize("body", HOSTILE)
@pytest.mark.parametrize("name", sorted(EXTRACTORS))
def test_hostile_bodies_raise_nothing(name: str, body: bytes) -> None:
    extractor = EXTRACTORS[name]
    for headers in ((), FORM):
        assert event_type(extractor, Facts(headers, body))
        assert dedup_key(extractor, Facts(headers, body)) != b""


MEMBERS = """
entry changes value messages statuses messaging message id field mid event type postback update_id
object
""".strip()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(MEMBERS.split()),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(body=json_values)
def test_no_shape_of_a_body_raises(body: Any) -> None:
    for extractor in EXTRACTORS.values():
        key = dedup_key(extractor, facts(body))
        assert key is None or 0 < len(key) <= 64
        assert 0 < len(event_type(extractor, facts(body))) <= 128


@pytest.mark.parametrize("provider", ["Messenger", "Instagram"])
@pytest.mark.parametrize("kind", ["message", "postback"])
def test_a_message_sent_again_has_its_key_and_another_has_not(provider: str, kind: str) -> None:
    """Meta tells in each request when it was sent."""
    source = registry.get(provider).variant().dedup_key
    assert source is not None

    def key(mid: str, time: int) -> bytes | None:
        item = {"timestamp": 1, kind: {"mid": mid, "text": "same"}}
        return dedup_key(key_reader(source), facts(at(time, messenger(item))))

    assert key("m1", 1) == key("m1", 2)
    assert key("m1", 1) != key("m2", 1)


EVENT_KEYS: list[tuple[Any, str]] = [
    ("cus_4711", "cus_4711"),
    (" cus 4711 ", "cus 4711"),
    ("4711", "4711"),
    (4711, "4711"),
    (12345678901234567890123, "12345678901234567890123"),
    (True, "true"),
    ("ä" * 256, "ä" * 256),
    # These have none; what is cut off or mended could be the key of something else.
    ("a" * 257, ""),
    ("a\x00b", ""),
    ("a\nb", ""),
    ("\ud83d", ""),
    ("  ", ""),
    (None, ""),
    ([], ""),
    ({"id": 1}, ""),
]


@pytest.mark.parametrize(("value", "key"), EVENT_KEYS)
def test_what_an_event_is_about(value: Any, key: str) -> None:
    source = event_key_reader(Source(body_path="data.customer"))
    assert event_key(source, facts({"data": {"customer": value}})) == key


@pytest.mark.parametrize("body", [b"", b"no json", b"[1]", b'{"data": 1}'])
def test_a_body_that_does_not_say_it_gives_no_key(body: bytes) -> None:
    assert event_key(event_key_reader(Source(body_path="data.customer")), facts(body)) == ""


def test_a_header_may_say_what_an_event_is_about() -> None:
    source = event_key_reader(Source(header="x-customer"))
    assert event_key(source, facts({}, (("x-customer", "cus_1"),))) == "cus_1"
    assert event_key(source, facts({})) == ""


@pytest.mark.parametrize(
    ("number", "put_off"),
    [
        (b"17", False),
        (b"0", False),
        (b"-0", True),
        (b"12.50", True),
        (b"18446744073709551616", True),
        (b"1e3", True),
    ],
)
def test_in_a_hurry_only_what_takes_long_is_put_off(number: bytes, put_off: bool) -> None:
    reader, body = key_reader(Source(body_path="id")), b'{"id":%b}' % number
    hurried = Facts((), body, hurried=True)
    found = reader.read(hurried)
    assert (hurried.put_off, found) == (put_off, "" if put_off else number.decode())
    at_leisure = Facts((), body)
    assert (reader.read(at_leisure), at_leisure.put_off) == (number.decode(), False)


def test_a_zero_beside_a_negative_one_is_still_itself() -> None:
    reader = key_reader(Source(body_path="id"))
    assert reader.read(Facts((), b'{"x":"-0","id":0}')) == "0"
