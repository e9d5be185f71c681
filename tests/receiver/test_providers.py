"""Every provider's published request through the front door: stored once, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hookplane.config.endpoint import EndpointConfig
from hookplane.providers import registry
from hookplane.providers.extract import Facts
from hookplane.providers.registry import key_reader
from hookplane.providers.samples import sample, types
from hookplane.secret import Secret
from hookplane.signatures.request import sign_request
from hookplane.signatures.scheme import SignatureScheme
from support.clocks.manual import ManualClock
from support.http.vectors import Vector, changed, generic_vectors, preset_vectors
from support.planes.receiver import NOW, endpoint, open_door

PRESETS = preset_vectors()
GENERIC = generic_vectors()
DISCORD_SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
DISCORD_PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
"""RFC 8032 §7.1, test 1."""
WHSEC = f"whsec_{'A' * 24}"
KEYS = {"StandardWebhooks": WHSEC, "Svix": WHSEC, "Discord": DISCORD_PUBLIC}
SIGNED_BY_SAMPLES = [name for name in registry.PRESETS if name != "Generic"]


def of_preset(name: str, vector: Vector) -> EndpointConfig:
    return endpoint("e", name, keys=[vector.key])


def of_scheme(scheme: SignatureScheme, vector: Vector) -> EndpointConfig:
    return endpoint("e", "Generic", keys=[vector.key], signature=scheme, public_url=vector.url)


CASES = [(of_preset(name, v), v) for name, v in PRESETS] + [
    (of_scheme(scheme, v), v) for scheme, v in GENERIC
]
IDS = [f"{config.provider}-{v.id}" for config, v in CASES]


def has_key(config: EndpointConfig, vector: Vector) -> bool:
    """Some published bodies are no events of their provider, and have no key."""
    source = config.dedup_key
    return source is not None and bool(key_reader(source).read(Facts(vector.headers, vector.body)))


@pytest.mark.parametrize(("config", "vector"), CASES, ids=IDS)
async def test_a_published_request_is_stored_once(
    tmp_path: Path, config: EndpointConfig, vector: Vector
) -> None:
    async with open_door(tmp_path, config, clock=ManualClock(vector.now)) as door:
        for _ in range(2):
            answer = await door.send("/default/e", vector.body, list(vector.headers))
            assert answer.status == 200
        stored = await door.events("e")
        assert len(stored) == (1 if has_key(config, vector) else 2)
        _, content = await door.store.find_event(stored[0].entry.event_id)
        assert content.body == vector.body
        assert vector.signature_header not in dict(content.headers)


@pytest.mark.parametrize(("config", "vector"), CASES, ids=IDS)
async def test_a_changed_request_is_refused(
    tmp_path: Path, config: EndpointConfig, vector: Vector
) -> None:
    headers = dict(vector.headers)
    signature = changed(headers[vector.signature_header])
    other_signature = list((headers | {vector.signature_header: signature}).items())
    other_body = vector.body[:-1] + bytes([vector.body[-1] ^ 1])
    async with open_door(tmp_path, config, clock=ManualClock(vector.now)) as door:
        for body, sent in [(other_body, headers.items()), (vector.body, other_signature)]:
            answer = await door.send("/default/e", body, list(sent))
            assert (answer.status, answer.body) == (401, b"Unauthorized\n")
        twice = [*vector.headers, (vector.signature_header, signature)]
        assert (await door.send("/default/e", vector.body, twice)).status == 400
        assert await door.events("e") == []
        assert "does not match (1 key tried)" in door.activity.rejections[0][2]


@pytest.mark.parametrize(
    ("config", "vector"),
    [case for case in CASES if case[0].signature and case[0].signature.timestamp],
    ids=[i for i, case in zip(IDS, CASES, strict=True) if case[0].signature.timestamp],  # type: ignore[union-attr]
)
@pytest.mark.parametrize("off", [-301_000, 301_000])
async def test_an_old_or_early_request_is_refused(
    tmp_path: Path, config: EndpointConfig, vector: Vector, off: int
) -> None:
    async with open_door(tmp_path, config, clock=ManualClock(vector.now + off)) as door:
        assert (await door.send("/default/e", vector.body, list(vector.headers))).status == 401
        assert door.activity.rejections[0][1] == "TimestampOutOfTolerance"


@pytest.mark.parametrize("name", SIGNED_BY_SAMPLES)
async def test_samples_of_all_types_arrive_with_their_type(tmp_path: Path, name: str) -> None:
    key = KEYS.get(name, "secret")
    config = endpoint("e", name, keys=[key])
    scheme = config.signature
    assert scheme is not None
    signing = Secret(DISCORD_SEED if name == "Discord" else key)
    async with open_door(tmp_path, config) as door:
        for kind in types(name):
            one = sample(name, kind, NOW)
            signed = sign_request(
                scheme, signing, method="POST", url="", body=one.body, id=one.id, now=NOW
            )
            answer = await door.send("/default/e", one.body, [*one.headers, *signed])
            assert 200 <= answer.status < 300
        stored = await door.events("e")
        assert {row.entry.type for row in stored} == set(types(name))


def whatsapp(*ids: str) -> bytes:
    messages = [{"id": own, "type": "text"} for own in ids]
    change = {"field": "messages", "value": {"messages": messages}}
    return json.dumps({"object": "w", "entry": [{"id": "1", "changes": [change]}]}).encode()


async def test_a_message_that_comes_with_one_sent_before_is_not_lost(tmp_path: Path) -> None:
    config = endpoint("e", "WhatsApp", keys=["secret"])
    async with open_door(tmp_path, config) as door:
        for body in (whatsapp("m1"), whatsapp("m1", "m2"), whatsapp("m1")):
            headers = sign(config, "secret", body)
            assert (await door.send("/default/e", body, headers)).status == 200
        assert len(await door.events("e")) == 2


DISCORD_ANSWERS: list[tuple[dict[str, Any], int, bytes, int]] = [
    ({"type": 1}, 200, b'{"type":1}', 0),
    ({"type": 0}, 204, b"", 0),
    ({"type": 2, "id": "1"}, 200, b'{"type":5}', 1),
    ({"type": 3, "id": "1"}, 200, b'{"type":6}', 1),
    ({"type": 1, "event": {"type": "ENTITLEMENT_CREATE"}}, 204, b"", 1),
]


@pytest.mark.parametrize(("body", "status", "answer", "stored"), DISCORD_ANSWERS)
async def test_discord_is_answered_as_it_wants(
    tmp_path: Path, body: dict[str, Any], status: int, answer: bytes, stored: int
) -> None:
    config = endpoint("e", "Discord", keys=[DISCORD_PUBLIC])
    raw = json.dumps(body).encode()
    async with open_door(tmp_path, config) as door:
        got = await door.send("/default/e", raw, sign(config, DISCORD_SEED, raw))
        assert (got.status, got.body) == (status, answer)
        assert len(await door.events("e")) == stored
        # Discord probes with bad signatures, also on its pings.
        assert (
            await door.send("/default/e", raw + b" ", sign(config, "00" * 32, raw))
        ).status == 401


async def test_slack_gets_its_challenge_only_when_it_signed(tmp_path: Path) -> None:
    config = endpoint("e", "Slack", keys=["secret"])
    body = b'{"type":"url_verification","challenge":"abc"}'
    async with open_door(tmp_path, config) as door:
        good = await door.send("/default/e", body, sign(config, "secret", body))
        assert (good.status, good.body) == (200, b"abc")
        assert good.headers["Content-Type"].startswith("text/plain")
        assert (await door.send("/default/e", body, sign(config, "wrong", body))).status == 401
        assert await door.events("e") == []


async def test_meta_gets_its_challenge_only_with_our_word(tmp_path: Path) -> None:
    config = endpoint("e", "WhatsApp", keys=["secret"], parameters={"verifyToken": Secret("word")})
    query = "?hub.mode=subscribe&hub.challenge=42&hub.verify_token="
    async with open_door(tmp_path, config) as door:
        good = await door.send(f"/default/e{query}word", method="GET")
        assert (good.status, good.body) == (200, b"42")
        bad = await door.send(f"/default/e{query}wrong", method="GET")
        assert (bad.status, bad.body) == (403, b"Forbidden\n")
        assert door.activity.rejections[0][1] == "HandshakeRefused"
        assert await door.events("e") == []


async def test_cloudevents_asks_and_then_sends_with_a_token(tmp_path: Path) -> None:
    config = endpoint(
        "e",
        "Generic",
        keys=[],
        signature=None,
        handshake="CloudEventsOptions",
        bearer=(Secret("tok"),),
    )
    async with open_door(tmp_path, config) as door:
        origin = [("WebHook-Request-Origin", "events.example.com")]
        consent = await door.send("/default/e", headers=origin, method="OPTIONS")
        assert consent.status == 200
        assert consent.headers["WebHook-Allowed-Origin"] == "events.example.com"
        assert (await door.send("/default/e")).status == 401
        by_query = await door.send("/default/e?access_token=tok")
        assert by_query.headers["Cache-Control"] == "private"
        by_header = await door.send("/default/e", headers=[("Authorization", "Bearer tok")])
        assert (by_query.status, by_header.status) == (200, 200)
        assert (await door.send("/default/e", method="OPTIONS")).status == 403


def sign(config: EndpointConfig, key: str, body: bytes) -> list[tuple[str, str]]:
    assert config.signature is not None
    return sign_request(
        config.signature, Secret(key), method="POST", url="", body=body, id="msg_1", now=NOW
    )
