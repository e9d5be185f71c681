"""Samples that the endpoint itself accepts."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from hookplane.config.endpoint import ApiKey, Basic, ClientCertificate, EndpointConfig, Source
from hookplane.providers import registry
from hookplane.secret import Secret
from hookplane.signatures.keys import prepare
from hookplane.signatures.scheme import Algorithm, SignatureScheme
from hookplane.signatures.verify import SignedRequest, verify
from hookplane_cli.trigger_request import TriggerRequest, signed_sample
from hookplane_console.trigger import SampleWish, TriggerRefused
from support.clocks.manual import ManualClock

NOW = 1_795_521_601_000
KEYS = {
    "StandardWebhooks": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "Svix": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}
URL = "http://127.0.0.1:8080/default/one"


def endpoint(provider: str, **facts: Any) -> EndpointConfig:
    key = Secret(KEYS.get(provider, "a-key-of-32-characters-0123456789"))
    preset = registry.get(provider)
    variant = preset.variant((key,))
    given: dict[str, Any] = {
        "signature": variant.signature,
        "keys": (key,),
        "event_type": preset.event_type,
        "dedup_key": variant.dedup_key,
    }
    return EndpointConfig(
        uid="e",
        namespace="default",
        name="one",
        path="/default/one",
        provider=provider,
        **{**given, **facts},
    )


HMAC_PROVIDERS = sorted(set(registry.PRESETS) - {"Discord", "Generic"})


@pytest.mark.parametrize("provider", HMAC_PROVIDERS)
def test_samples_verify(provider: str) -> None:
    config = endpoint(provider)
    made, headers = signed_sample(config, SampleWish(), URL, NOW)
    assert config.signature is not None
    keys = [prepare(config.signature, key) for key in config.keys]
    result = verify(config.signature, keys, SignedRequest("POST", URL, headers, made.body), NOW)
    assert result.ok, result.detail


def test_generic_endpoints_find_type_and_key_where_they_look() -> None:
    config = endpoint(
        "Generic",
        signature=SignatureScheme(header="x-sign"),
        event_type=Source(header="x-event"),
        dedup_key=Source(header="x-request-id"),
    )
    made, headers = signed_sample(config, SampleWish("invoice.paid"), URL, NOW)
    assert dict(headers)["x-event"] == "invoice.paid"
    assert dict(headers)["x-request-id"] == made.id
    assert "x-sign" in dict(headers)


@pytest.mark.parametrize("provider", HMAC_PROVIDERS)
def test_headers_that_are_wished_for_take_the_place_of_the_sample_s(provider: str) -> None:
    config = endpoint(provider)
    usual = signed_sample(config, SampleWish(), URL, NOW)[1]
    wish = SampleWish(headers=(*((name.lower(), "mine") for name, _ in usual), ("x-shop", "eu")))
    headers = signed_sample(config, wish, URL, NOW)[1]
    assert {name.lower(): value for name, value in headers} == dict(wish.headers)
    assert len(headers) == len(wish.headers)


def test_credentials_are_added() -> None:
    config = endpoint(
        "Generic",
        signature=None,
        keys=(),
        api_key=ApiKey(header="x-api-key", keys=(Secret("k1"), Secret("k2"))),
        basic=Basic(username="ann", passwords=(Secret("pass"),)),
    )
    headers = dict(signed_sample(config, SampleWish(), URL, NOW)[1])
    assert headers["x-api-key"] == "k1"
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"ann:pass"
    bearer = endpoint("Generic", signature=None, keys=(), bearer=(Secret("token\n"),))
    assert dict(signed_sample(bearer, SampleWish(), URL, NOW)[1])["authorization"] == "Bearer token"


@pytest.mark.parametrize(
    ("config", "type_", "message"),
    [
        # the key is the public one: whoever has it can check and not sign
        (endpoint("Discord", keys=(Secret("ab" * 32),)), None, "private key"),
        (
            endpoint("Generic", signature=SignatureScheme(header="x", algorithm=Algorithm.ED25519)),
            None,
            "private key",
        ),
        (endpoint("GitHub", keys=(), not_ready="Secret gh is missing"), None, "gh is missing"),
        (endpoint("Telegram"), "unheard.of", "there are: message"),
        (
            endpoint("GitHub", client_certificate=ClientCertificate(authorities=Secret("x"))),
            None,
            "demands a client certificate",
        ),
    ],
)
def test_what_cannot_be_signed_is_refused(
    config: EndpointConfig, type_: str | None, message: str
) -> None:
    with pytest.raises(TriggerRefused, match=message):
        signed_sample(config, SampleWish(type_), URL, NOW)


@pytest.fixture
async def door() -> AsyncIterator[tuple[str, list[dict[str, str]]]]:
    """Something that takes requests like a receiver, and what it saw."""
    seen: list[dict[str, str]] = []

    async def take(request: web.Request) -> web.Response:
        seen.append({"path": request.path, "type": request.headers["x-github-event"]})
        return web.json_response({"id": "evt_01jdb3q9k2ffffffffffffffff"})

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    await runner.cleanup()


async def test_a_sample_goes_out_over_http(door: tuple[str, list[dict[str, str]]]) -> None:
    url, seen = door
    result = await TriggerRequest(url, ManualClock(NOW))(endpoint("GitHub"), SampleWish("push"))
    assert seen == [{"path": "/default/one", "type": "push"}]
    assert (result.type, result.status_code) == ("push", 200)
    assert result.event_id == "evt_01jdb3q9k2ffffffffffffffff"


async def test_a_receiver_that_is_away_is_said() -> None:
    with pytest.raises(TriggerRefused, match="does not answer"):
        await TriggerRequest("http://127.0.0.1:1", ManualClock(NOW))(
            endpoint("GitHub"), SampleWish()
        )
