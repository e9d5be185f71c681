"""What a well-behaved target and a client say to each other."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest

from hookplane.network.headers import USER_AGENT
from hookplane_dispatcher.egress.client import EgressClient, EgressError
from support.clocks.until import until
from support.http.egress import LONG, post
from support.http.targets import OK, Wire, answers, target


async def test_a_post_arrives_as_it_was_given(egress: EgressClient) -> None:
    async with target(answers(OK)) as seen:
        response = await egress.post(
            post(seen.url("/a%2Fb//c/../d?q=%20x&y"), ("X-Own", "a, b"), body=b"\x00\xffbody")
        )
    assert (response.status_code, response.body, response.error) == (200, b"ok", None)
    assert seen.requests[0].startswith(b"POST /a%2Fb//c/../d?q=%20x&y HTTP/1.1\r\n")
    assert seen.requests[0].endswith(b"\r\n\r\n\x00\xffbody")
    assert seen.header("x-own") == ["a, b"]
    assert seen.header("content-length") == ["6"]
    assert seen.header("host") == [f"127.0.0.1:{seen.port}"]


async def test_only_our_own_headers_are_added(egress: EgressClient) -> None:
    async with target(answers(OK)) as seen:
        await egress.post(post(seen.url()))
    lines = seen.requests[0].split(b"\r\n\r\n")[0].lower().split(b"\r\n")[1:]
    names = {line.split(b":")[0] for line in lines}
    assert names - {b"connection"} == {
        b"host",
        b"user-agent",
        b"accept-encoding",
        b"content-length",
    }
    assert seen.header("user-agent") == [USER_AGENT]
    assert seen.header("accept-encoding") == ["identity"]


async def test_headers_of_the_caller_replace_the_defaults(egress: EgressClient) -> None:
    async with target(answers(OK)) as seen:
        await egress.post(post(seen.url(), ("user-agent", "mine"), ("Accept-Encoding", "gzip")))
    assert seen.header("user-agent") == ["mine"]
    assert seen.header("accept-encoding") == ["gzip"]


async def test_an_empty_body_is_sent_as_such(egress: EgressClient) -> None:
    async with target(answers(OK)) as seen:
        assert (await egress.post(post(seen.url(), body=b""))).status_code == 200
    assert seen.header("content-length") == ["0"]


async def test_a_large_body_arrives_whole(egress: EgressClient) -> None:
    body = bytes(range(256)) * 4096
    async with target(answers(OK)) as seen:
        assert (await egress.post(post(seen.url(), body=body))).status_code == 200
    assert seen.requests[0].endswith(b"\r\n\r\n" + body)


async def test_connections_are_used_again(egress: EgressClient) -> None:
    async with target(answers(OK)) as seen:
        for _ in range(5):
            assert (await egress.post(post(seen.url()))).status_code == 200
    assert (seen.connections, len(seen.requests)) == (1, 5)


async def test_many_at_once_do_not_mix_up_answers(egress: EgressClient) -> None:
    async def echo(wire: Wire) -> None:
        while True:
            body = (await wire.request()).partition(b"\r\n\r\n")[2]
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async with target(echo) as seen:
        bodies = [str(number).encode() * (number % 7 + 1) for number in range(100)]
        responses = await asyncio.gather(*(egress.post(post(seen.url(), body=b)) for b in bodies))
    assert [response.body for response in responses] == bodies


@pytest.mark.parametrize("status", [200, 202, 204, 299, 400, 404, 410, 429, 500, 503, 599])
async def test_the_status_is_the_targets(egress: EgressClient, status: int) -> None:
    raw = b"HTTP/1.1 %d X\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n" % status
    async with target(answers(raw)) as seen:
        response = await egress.post(post(seen.url()))
    assert (response.status_code, response.retry_after) == (status, "17")
    assert response.error is None


@pytest.mark.parametrize("value", [b"x" * 65, b"\xff\xfe", b""])
async def test_a_retry_after_that_is_none_is_left_out(egress: EgressClient, value: bytes) -> None:
    raw = b"HTTP/1.1 503 X\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n" % value
    async with target(answers(raw)) as seen:
        response = await egress.post(post(seen.url()))
    assert (response.status_code, response.retry_after) == (503, None)


async def test_a_chunked_answer_is_put_together(egress: EgressClient) -> None:
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n"
    async with target(answers(raw)) as seen:
        first = await egress.post(post(seen.url()))
        assert first.body == b"abc"
        assert (await egress.post(post(seen.url()))).body == b"abc"
    assert seen.connections == 1


async def test_an_answer_may_end_with_the_connection(egress: EgressClient) -> None:
    async with target(answers(b"HTTP/1.1 200 OK\r\n\r\nto the end", close=True)) as seen:
        assert (await egress.post(post(seen.url()))).body == b"to the end"
        assert (await egress.post(post(seen.url()))).body == b"to the end"
    assert seen.connections == 2


async def test_connection_close_is_heeded(egress: EgressClient) -> None:
    raw = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    async with target(answers(raw)) as seen:
        await egress.post(post(seen.url()))
        await egress.post(post(seen.url()))
    assert seen.connections == 2


async def test_a_connection_closed_while_idle_is_not_used(egress: EgressClient) -> None:
    async with target(answers(OK, close=True)) as seen:
        for count in range(1, 4):
            assert (await egress.post(post(seen.url()))).status_code == 200
            await until(lambda: seen.open == 0, "the connection to end")
            for _ in range(10):
                await asyncio.sleep(0)  # the client's loop turns until it has seen the end
            assert seen.connections == count


GAVE_UP = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


async def test_408_on_an_idle_connection_is_no_answer(egress: EgressClient) -> None:
    """Load balancers say so when they close one, just when a request goes out."""
    async with target(answers(OK, GAVE_UP)) as seen:
        for count in range(1, 4):
            assert (await egress.post(post(seen.url()))).status_code == 200
            assert seen.connections == count


async def test_408_counts_where_the_connection_is_new_or_goes_on(egress: EgressClient) -> None:
    stays = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
    async with target(answers(GAVE_UP)) as new, target(answers(OK, stays)) as kept:
        assert (await egress.post(post(new.url()))).status_code == 408
        assert (await egress.post(post(kept.url()))).status_code == 200
        assert (await egress.post(post(kept.url()))).status_code == 408
    assert (new.connections, kept.connections) == (1, 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("there", ["http", "https", "file", "//"])
async def test_redirects_are_not_followed(egress: EgressClient, status: int, there: str) -> None:
    async with target(answers(OK)) as canary:
        location = {
            "http": canary.url("/canary"),
            "https": f"https://127.0.0.1:{canary.port}/",
            "file": "file:///etc/passwd",
            "//": f"//127.0.0.1:{canary.port}/",
        }[there]
        raw = f"HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        async with target(answers(raw.encode())) as seen:
            response = await egress.post(post(seen.url()))
    assert (response.status_code, response.error) == (status, None)
    assert (canary.connections, len(seen.requests)) == (0, 1)


async def test_the_environment_and_cookies_are_ignored(
    egress: EgressClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
    async with target(answers(OK)) as proxy, target(answers(raw)) as seen:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login me password secret\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("HOME", str(tmp_path))
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy.url())
        for _ in range(2):
            assert (await egress.post(post(seen.url()))).status_code == 200
    assert proxy.connections == 0
    assert seen.header("authorization") == []
    assert seen.header("cookie") == []


async def test_a_compressed_answer_stays_as_it_is(egress: EgressClient) -> None:
    bomb = gzip.compress(bytes(20_000_000))
    assert len(bomb) < 64 * 1024
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    async with target(answers(head + bomb)) as seen:
        assert (await egress.post(post(seen.url()))).body == bomb


async def test_a_closed_client_says_so(egress: EgressClient) -> None:
    async with target(answers(OK)) as seen:
        await egress.close()
        assert (await egress.post(post(seen.url()))).error is EgressError.CLOSED
    assert seen.connections == 0


async def test_closing_ends_what_is_under_way(egress: EgressClient) -> None:
    async with target(lambda wire: wire.until_closed()) as seen:
        running = asyncio.ensure_future(egress.post(post(seen.url())))
        await until(lambda: seen.open == 1, "the connection to open")
        await egress.close()
        assert (await running).error is EgressError.CLOSED
        await until(lambda: seen.open == 0, "the connection to end")


@pytest.mark.parametrize(
    "header",
    [
        ("x-a", "b\r\nX-Evil: c"),
        ("x-a", "b\nX-Evil: c"),
        ("x-a", "b\rc"),
        ("x-a", "b\x00c"),
        ("x-a", "\x7f"),
        ("x-a\r\nX-Evil", "b"),
        ("x-a:b", "c"),
        ("x a", "b"),
        ("x-\u00fc", "b"),
        ("", "b"),
        ("Host", "other.example"),
        ("content-length", "1"),
        ("Content-Length", "99"),
        ("transfer-encoding", "chunked"),
        ("Connection", "close"),
        ("expect", "100-continue"),
        ("upgrade", "websocket"),
    ],
)
async def test_headers_that_would_change_the_request_are_refused(
    egress: EgressClient, header: tuple[str, str]
) -> None:
    async with target(answers(OK)) as seen:
        response = await egress.post(post(seen.url(), header))
    assert response.error is EgressError.BAD_HEADER
    assert seen.connections == 0


async def test_targets_that_never_answer_leave_room_for_others(egress: EgressClient) -> None:
    async def stall(wire: Wire) -> None:
        await wire.until_closed()

    async with target(stall) as dead, target(answers(OK)) as healthy:
        waiting = [
            asyncio.create_task(egress.post(post(dead.url(), timeout=60_000))) for _ in range(300)
        ]
        await until(lambda: dead.open == len(waiting), "all to wait at the dead target")
        assert (await egress.post(post(healthy.url()))).status_code == 200
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


@pytest.mark.parametrize("answered", [True, False])
async def test_an_exchange_says_how_long_it_took(egress: EgressClient, answered: bool) -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await asyncio.sleep(0.2)
        if answered:
            await wire.send(OK)

    async with target(script) as seen:
        response = await egress.post(post(seen.url()))
    assert (response.error is None) is answered
    assert 150 <= response.duration < LONG
