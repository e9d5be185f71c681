"""Event types and deduplication keys: one table per question."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookplane.config.endpoint import Source
from hookplane.providers import registry
from hookplane.providers.extract import Facts, dedup_key, event_type
from hookplane.providers.registry import EXTRACTORS, reader
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
    ("Slack", {"no": "id"}, {"no": "id at all"}),
]


@pytest.mark.parametrize(("provider", "one", "other"), DIFFERENT)
def test_different_events_have_different_keys(provider: str, one: Any, other: Any) -> None:
    assert key_of(provider, one) != key_of(provider, other)


SAME: list[tuple[str, Any, Any]] = [
    # Sent again, with something around it that changes.
    ("WhatsApp", whatsapp(messages=[MESSAGE_1]), whatsapp(messages=[{**MESSAGE_1, "x": 1}])),
    ("WhatsApp", whatsapp(statuses=[SENT]), whatsapp(statuses=[{**SENT, "pricing": 1}])),
    ("Messenger", messenger({"message": {"mid": "a"}}), messenger({"message": {"mid": "a"}})),
    ("Telegram", {"update_id": 1, "a": 1}, {"update_id": 1, "a": 2}),
    ("Stripe", {"id": "evt_1", "pending": 1}, {"id": "evt_1", "pending": 2}),
    ("Slack", {"event_id": "a", "token": 1}, {"event_id": "a", "token": 2}),
]


@pytest.mark.parametrize(("provider", "one", "other"), SAME)
def test_the_same_event_has_the_same_key(provider: str, one: Any, other: Any) -> None:
    assert key_of(provider, one) == key_of(provider, other)


def key_of(provider: str, body: Any, headers: Headers = ()) -> bytes:
    source = registry.get(provider).variant().dedup_key
    assert source is not None
    return dedup_key(reader(source), facts(body, headers))


def test_shopify_topics_of_one_event_are_events_of_their_own() -> None:
    def headers(topic: str) -> Headers:
        return (("x-shopify-topic", topic), ("x-shopify-event-id", "e"))

    created = key_of("Shopify", {}, headers("orders/create"))
    assert created != key_of("Shopify", {}, headers("orders/paid"))
    assert key_of("Shopify", {}, (("x-shopify-webhook-id", "w"),)) == b"w"


def test_without_an_id_the_key_is_the_hash_of_the_raw_body() -> None:
    assert key_of("Stripe", b"no json") == hashlib.sha256(b"no json").digest()
    assert key_of("WhatsApp", b"test") == hashlib.sha256(b"test").digest()


def test_long_keys_are_hashed() -> None:
    assert key_of("Stripe", {"id": "a" * 64}) == b"a" * 64
    assert key_of("Stripe", {"id": "a" * 65}) == hashlib.sha256(b"a" * 65).digest()


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
        assert dedup_key(extractor, Facts(headers, body))


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
        assert 0 < len(dedup_key(extractor, facts(body))) <= 64
        assert 0 < len(event_type(extractor, facts(body))) <= 128


def test_the_form_of_a_gitlab_key_decides_where_its_id_is() -> None:
    signing = registry.get("GitLab").variant([Secret("whsec_AAAA")])
    classic = registry.get("GitLab").variant([Secret("my-token")])
    assert signing.dedup_key == Source(header="webhook-id")
    assert classic.dedup_key == Source(header="idempotency-key")


@pytest.mark.parametrize("provider", ["Messenger", "Instagram"])
@pytest.mark.parametrize("kind", ["message", "postback"])
def test_a_message_sent_again_has_its_key_and_another_has_not(provider: str, kind: str) -> None:
    """Meta sends an event again with another time of its own: the id decides."""
    source = registry.get(provider).variant().dedup_key
    assert source is not None

    def key(mid: str, time: int) -> bytes:
        item = {"timestamp": time, kind: {"mid": mid, "text": "same"}}
        return dedup_key(reader(source), facts(messenger(item)))

    assert key("m1", 1) == key("m1", 2)
    assert key("m1", 1) != key("m2", 1)
