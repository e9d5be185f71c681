"""Servers that people run, with what is theirs: keep-alive, idle closes, early answers, TLS."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest
from _pytest.mark import ParameterSet

from hookplane_dispatcher.egress.client import (
    MAX_ANSWER_BYTES,
    EgressClient,
    EgressError,
    OutboundResponse,
)
from support.clocks.until import PATIENCE
from support.cluster.sockets import open_sockets
from support.http.egress import post
from support.http.targets import Authority
from support.servers.server import SERVERS, RealServer, Setup, running, told

AUTHORITY = Authority()
TRUSTING = AUTHORITY.trusted()
LARGE = bytes(range(256)) * 20_000
"""5 MB."""

Start = Callable[[str, bool, int], RealServer]
"""Name, whether it speaks TLS, and how many seconds it keeps an idle connection."""

KEEPING = [name for name, program in SERVERS.items() if program.keeps_connections]


def _on(names: Iterable[str], *more: str) -> list[ParameterSet]:
    """Each of these servers plain, and with TLS if it speaks that; `more`: for the next columns."""
    return [
        pytest.param((name, secure), *more, id="-".join((name, said, *more)))
        for name in names
        for secure, said in ((False, "plain"), (True, "tls"))
        if SERVERS[name].secure or not secure
    ]


def _with(*paths: str) -> list[ParameterSet]:
    """Each of these paths on the servers that have it."""
    return [
        row
        for path in paths
        for row in _on([x for x, program in SERVERS.items() if path in program.paths], path)
    ]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a server, once for each set of arguments."""
    identity = AUTHORITY.issue("127.0.0.1")
    with ExitStack() as stack:

        @cache
        def started(name: str, secure: bool, idle_seconds: int) -> RealServer:
            folder = tmp_path_factory.mktemp("server")
            setup = Setup(folder, idle_seconds, identity if secure else None)
            return stack.enter_context(running(name, setup))

        yield started


@pytest.fixture
def server(request: pytest.FixtureRequest, start: Start) -> RealServer:
    """The one that the test's parameter names."""
    name, secure = request.param
    return start(name, secure, 60)


async def _post(
    egress: EgressClient, server: RealServer, path: str = "/", body: bytes = b"{}"
) -> OutboundResponse:
    return await egress.post(post(server.url(path), body=body, tls=TRUSTING))


@pytest.mark.parametrize("server", _on(SERVERS), indirect=True)
@pytest.mark.parametrize("body", [b"", b"x" * 1024, LARGE], ids=["empty", "1 KB", "5 MB"])
async def test_a_body_arrives_whole(egress: EgressClient, server: RealServer, body: bytes) -> None:
    for _ in range(3):
        response = await _post(egress, server, body=body)
        assert (response.status_code, response.error) == (200, None), response
        assert told(response.body).length == len(body)


@pytest.mark.parametrize("server", _on(KEEPING), indirect=True)
async def test_hundreds_of_requests_share_a_connection(
    egress: EgressClient, server: RealServer
) -> None:
    responses = [await _post(egress, server) for _ in range(300)]
    assert Counter(x.status_code for x in responses) == {200: 300}
    assert len({told(x.body).port for x in responses}) == 1


@pytest.mark.parametrize("server", _on(SERVERS), indirect=True)
async def test_many_at_once_use_as_many_connections(
    egress: EgressClient, server: RealServer
) -> None:
    async def several(size: int) -> list[OutboundResponse]:
        return [await _post(egress, server, body=bytes(size)) for _ in range(10)]

    rows = await asyncio.gather(*map(several, range(8)))
    assert [{told(x.body).length for x in row} for row in rows] == [{x} for x in range(8)]
    if SERVERS[server.name].keeps_connections:
        assert len({told(x.body).port for row in rows for x in row}) <= 8


@pytest.mark.parametrize("server", _on(["nginx"]), indirect=True)
async def test_a_server_may_end_connections_after_some_requests(
    egress: EgressClient, server: RealServer
) -> None:
    responses = [await _post(egress, server, "/few") for _ in range(100)]
    assert Counter(x.status_code for x in responses) == {200: 100}
    assert set(Counter(told(x.body).port for x in responses).values()) == {10}


@pytest.mark.parametrize(("server", "path"), _with("/early", "/early-reset"), indirect=["server"])
@pytest.mark.parametrize("body", [b"x" * 2048, LARGE], ids=["2 KB", "5 MB"])
async def test_an_answer_that_comes_before_the_body_was_read_counts(
    egress: EgressClient, server: RealServer, path: str, body: bytes
) -> None:
    """Whether the server then reads on, closes, or resets the connection."""
    for _ in range(5):
        response = await _post(egress, server, path, body)
        assert (response.status_code, response.error) in {(401, None), (413, None)}, response
    assert (await _post(egress, server)).status_code == 200


FORMS = {
    "/204": (204, b""),
    "/204-length": (204, b""),
    "/304": (304, b""),
    "/304-length": (304, b""),
    "/large": (200, b"x" * MAX_ANSWER_BYTES),
    "/chunked": (200, b"one two"),
    "/interim": (200, b'{"port"'),
}
"""What is answered, and how the body begins."""


@pytest.mark.parametrize(("server", "path"), _with(*FORMS), indirect=["server"])
async def test_answers_of_each_form(egress: EgressClient, server: RealServer, path: str) -> None:
    status, body = FORMS[path]
    for _ in range(3):
        response = await _post(egress, server, path)
        assert (response.status_code, response.error) == (status, None), response
        assert response.body.startswith(body)
    assert (await _post(egress, server)).status_code == 200


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_a_request_that_meets_an_idle_close_goes_again_at_once(
    egress: EgressClient, start: Start, secure: bool
) -> None:
    """The loop is busy while the servers close, so it sees their ends after it has sent."""
    servers = [start(name, secure, 1) for name in KEEPING]
    requests = [(server, body) for server in servers for body in (b"{}", LARGE)]

    async def send() -> list[OutboundResponse]:
        return await asyncio.gather(*(_post(egress, x, body=body) for x, body in requests))

    before = await send()
    _stand_still_until_closed([server.setup.port for server in servers])
    after = await send()
    assert [(x.name, y) for (x, _), y in zip(requests, after, strict=True) if y.error] == []
    assert [told(x.body).length for x in after] == [len(body) for _, body in requests]
    assert _connections(servers, before).isdisjoint(_connections(servers, after))


def _connections(
    servers: list[RealServer], responses: list[OutboundResponse]
) -> set[tuple[str, int]]:
    """Which two requests to each server took; two servers may have one from the same port."""
    twice = [server.name for server in servers for _ in range(2)]
    return {(x, told(y.body).port) for x, y in zip(twice, responses, strict=True)}


def _stand_still_until_closed(ports: list[int]) -> None:
    """Keeps the loop from turning until the servers at these ports have ended all connections."""
    end = time.monotonic() + PATIENCE
    while not set(ports).isdisjoint(_quiet()):
        assert time.monotonic() < end, "a server keeps an idle connection"
        time.sleep(0.01)


def _quiet() -> set[int]:
    """The ports of others to which there are open connections, with nothing to read on our side:
    the end of TLS would be, which may come long before that of the connection."""
    return {x.peer_port for x in open_sockets() if not x.unread}


@pytest.mark.parametrize(("server", "path"), _with("/reset"), indirect=["server"])
async def test_a_reset_after_the_request_was_read_is_a_failure(
    egress: EgressClient, server: RealServer, path: str
) -> None:
    """It may have been worked on, so it is for the schedule to try it again."""
    for _ in range(3):
        response = await _post(egress, server, path)
        assert (response.status_code, response.error) == (0, EgressError.CLOSED), response
    assert (await _post(egress, server)).status_code == 200
