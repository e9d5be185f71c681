"""Access tokens: asked for as the RFC says, kept, renewed, thrown away."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from hookplane.config.subscription import OAuth2Config
from hookplane.secret import Secret
from hookplane_dispatcher.egress.client import EgressClient, EgressError, OutboundResponse
from hookplane_dispatcher.egress.oauth2 import (
    DEFAULT_LIFE_SECONDS,
    MAX_LIFE_SECONDS,
    MAX_TOKENS,
    NoToken,
    TokenSource,
    read_token,
)
from support.clocks.manual import ManualClock
from support.clocks.until import until
from support.http.egress import LONG, SHORT
from support.http.targets import Script, Target, Wire, answers, target


def _answer(body: object, status: int = 200) -> bytes:
    data = json.dumps(body).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(data)) + data


def _numbered(life: object = 3600) -> Script:
    """Tokens t1, t2, … in the order of requests over all connections."""

    async def script(wire: Wire) -> None:
        while True:
            await wire.request()
            count = len(wire.target.requests)
            token = {"access_token": f"t{count}", "token_type": "bearer", "expires_in": life}
            await wire.send(_answer(token))

    return script


def _config(seen: Target, **changes: object) -> OAuth2Config:
    fields = {
        "token_url": seen.url("/token"),
        "client_id": "me:and/you",
        "client_secret": Secret("s3cret%+"),
        "scopes": ("a.b", "c"),
    }
    return OAuth2Config.model_validate(fields | changes)


async def test_the_request_is_that_of_the_rfc(egress: EgressClient) -> None:
    async with target(_numbered()) as seen:
        tokens = TokenSource(egress, ManualClock())
        assert await tokens.header(_config(seen), LONG, "shop") == "Bearer t1"
    head, _, body = seen.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /token HTTP/1.1\r\n")
    assert body == b"grant_type=client_credentials&scope=a.b+c"
    assert seen.header("content-type") == ["application/x-www-form-urlencoded"]
    scheme, _, pair = seen.header("authorization")[0].partition(" ")
    assert (scheme, base64.b64decode(pair)) == ("Basic", b"me%3Aand%2Fyou:s3cret%25%2B")


async def test_a_token_is_kept_until_a_minute_before_its_end(egress: EgressClient) -> None:
    clock = ManualClock()
    async with target(_numbered(life=600)) as seen:
        tokens, config = TokenSource(egress, clock), _config(seen)
        assert await tokens.header(config, LONG, "shop") == "Bearer t1"
        clock.advance(539_000)
        assert await tokens.header(config, LONG, "shop") == "Bearer t1"
        clock.advance(1_000)
        assert await tokens.header(config, LONG, "shop") == "Bearer t2"


async def test_a_short_token_is_used_for_half_its_life(egress: EgressClient) -> None:
    clock = ManualClock()
    async with target(_numbered(life=40)) as seen:
        tokens, config = TokenSource(egress, clock), _config(seen)
        await tokens.header(config, LONG, "shop")
        clock.advance(19_000)
        assert await tokens.header(config, LONG, "shop") == "Bearer t1"
        clock.advance(1_000)
        assert await tokens.header(config, LONG, "shop") == "Bearer t2"


async def test_many_deliveries_fetch_once(egress: EgressClient) -> None:
    async with target(_numbered()) as seen:
        tokens, config = TokenSource(egress, ManualClock()), _config(seen)
        headers = await asyncio.gather(*(tokens.header(config, LONG, "shop") for _ in range(20)))
    assert set(headers) == {"Bearer t1"}
    assert len(seen.requests) == 1


async def test_configs_do_not_share_tokens(egress: EgressClient) -> None:
    async with target(_numbered()) as seen:
        tokens = TokenSource(egress, ManualClock())
        mine = await tokens.header(_config(seen), LONG, "shop")
        other = await tokens.header(_config(seen, client_secret=Secret("other")), LONG, "shop")
    assert mine != other


async def test_a_rejected_token_is_fetched_anew_once(egress: EgressClient) -> None:
    async with target(_numbered()) as seen:
        tokens, config = TokenSource(egress, ManualClock()), _config(seen)
        old = await tokens.header(config, LONG, "shop")
        tokens.rejected(config, old)
        assert await tokens.header(config, LONG, "shop") == "Bearer t2"
        tokens.rejected(config, old)
        assert await tokens.header(config, LONG, "shop") == "Bearer t2"


async def test_tokens_are_bounded(egress: EgressClient) -> None:
    async with target(_numbered()) as seen:
        tokens, first = TokenSource(egress, ManualClock()), _config(seen)
        assert await tokens.header(first, LONG, "shop") == "Bearer t1"
        for number in range(MAX_TOKENS):
            await tokens.header(_config(seen, client_id=str(number)), LONG, "shop")
        assert await tokens.header(first, LONG, "shop") == f"Bearer t{MAX_TOKENS + 2}"


async def test_a_failure_is_not_kept(egress: EgressClient) -> None:
    good = _answer({"access_token": "t", "token_type": "Bearer"})
    async with target(answers(_answer({"error": "invalid_client"}, 401), good)) as seen:
        tokens, config = TokenSource(egress, ManualClock()), _config(seen)
        with pytest.raises(NoToken, match="401: invalid_client"):
            await tokens.header(config, LONG, "shop")
        assert await tokens.header(config, LONG, "shop") == "Bearer t"


async def test_waiting_for_the_fetch_of_another_is_bounded(egress: EgressClient) -> None:
    async with target(lambda wire: wire.until_closed()) as seen:
        tokens, config = TokenSource(egress, ManualClock()), _config(seen)
        first = asyncio.ensure_future(tokens.header(config, LONG, "shop"))
        await until(lambda: seen.open == 1, "the connection to open")
        with pytest.raises(NoToken, match="timed out"):
            await tokens.header(config, SHORT, "shop")
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_the_token_endpoint_is_behind_the_same_guard(egress: EgressClient) -> None:
    async with target(_numbered()) as seen:
        config = _config(seen, token_url="http://169.254.169.254/s3cret")
        with pytest.raises(NoToken) as refused:
            await TokenSource(egress, ManualClock()).header(config, LONG, "shop")
    assert str(refused.value) == "the token endpoint: address not allowed"


@pytest.mark.parametrize(
    ("expires", "life"),
    [
        (3600, 3600),
        ("3600", 3600),
        (0, 0),
        (10**8, MAX_LIFE_SECONDS),
        (None, DEFAULT_LIFE_SECONDS),
        (-1, DEFAULT_LIFE_SECONDS),
        (1.5, DEFAULT_LIFE_SECONDS),
        ("soon", DEFAULT_LIFE_SECONDS),
        ("9" * 5000, DEFAULT_LIFE_SECONDS),
        ([], DEFAULT_LIFE_SECONDS),
    ],
)
def test_the_life_of_a_token_is_bounded(expires: object, life: int) -> None:
    body = json.dumps({"access_token": "t", "expires_in": expires}).encode()
    assert read_token(OutboundResponse(200, 1, body)).life_seconds == life


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, b"", "has no access_token"),
        (200, b"[]", "has no access_token"),
        (200, b"[" * 60_000, "has no access_token"),
        (200, b"\xff", "has no access_token"),
        (200, b'{"access_token": 1}', "has no access_token"),
        (200, b'{"access_token": ""}', "has no access_token"),
        (200, b'{"access_token": "a\\r\\nb"}', "has no access_token"),
        (200, b'{"access_token": "a b"}', "has no access_token"),
        (200, b'{"access_token": "a", "token_type": "mac"}', "another type"),
        (302, b"", "answered 302$"),
        (400, b'{"error": "invalid_scope"}', "answered 400: invalid_scope"),
        (400, b'{"error": "<b>s3cret</b>"}', "answered 400$"),
        (500, b"oops", "answered 500$"),
    ],
)
def test_other_answers_hold_no_token(status: int, body: bytes, says: str) -> None:
    with pytest.raises(NoToken, match=says):
        read_token(OutboundResponse(status, 1, body))


def test_no_answer_is_no_token() -> None:
    with pytest.raises(NoToken, match="the token endpoint: timed out"):
        read_token(OutboundResponse(0, 1, error=EgressError.TIMEOUT))
