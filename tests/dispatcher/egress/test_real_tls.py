"""TLS of servers that people run: versions, names, certificates of clients and of servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hookplane_dispatcher.egress.client import (
    KEPT_ANSWER_BYTES,
    EgressClient,
    EgressError,
    OutboundResponse,
)
from hookplane_dispatcher.egress.guard import AddressGuard
from support.http.egress import Names, post
from support.http.targets import Authority, Identity
from support.servers.server import RealServer, Setup, running

AUTHORITY = Authority()
OTHER_AUTHORITY = Authority("Another CA")


async def _ask(
    egress: EgressClient, server: RealServer, own: Identity | None = None, host: str = "127.0.0.1"
) -> OutboundResponse:
    return await egress.post(post(server.url("/client", host), tls=AUTHORITY.trusted(own)))


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
async def test_both_versions_are_spoken(egress: EgressClient, tmp_path: Path, version: str) -> None:
    identity = AUTHORITY.issue("127.0.0.1")
    with running(
        "nginx", Setup(tmp_path, identity=identity, more=f"ssl_protocols {version};")
    ) as server:
        for _ in range(3):
            response = await _ask(egress, server)
            assert (response.status_code, response.body.split()[0]) == (200, version.encode())


async def test_an_older_version_is_refused_in_clear_words(
    egress: EgressClient, tmp_path: Path
) -> None:
    identity = AUTHORITY.issue("127.0.0.1")
    old = "ssl_protocols TLSv1.1; ssl_ciphers DEFAULT:@SECLEVEL=0;"
    with running("nginx", Setup(tmp_path, identity=identity, more=old)) as server:
        response = await _ask(egress, server)
    assert (response.error, response.detail) == (EgressError.TLS, "tlsv1 alert protocol version")


async def test_each_name_of_an_address_has_its_own_certificate(
    make: Callable[[AddressGuard], EgressClient], tmp_path: Path
) -> None:
    """nginx picks the certificate by the name that it is asked for."""
    egress = make(AddressGuard(loopback=True, lookup=Names(["127.0.0.1"])))
    setup = Setup(tmp_path, identity=AUTHORITY.issue("first.example"))
    setup = replace(setup, more=_site(setup, AUTHORITY.issue("second.example"), "second.example"))
    with running("nginx", setup) as server:
        for name in ("first.example", "second.example"):
            response = await _ask(egress, server, host=name)
            assert (response.status_code, response.body.split()[1]) == (200, name.encode())
        response = await _ask(egress, server, host="third.example")
    assert (response.error, response.detail) == (
        EgressError.TLS,
        "the certificate is for another name",
    )


def _site(setup: Setup, identity: Identity, name: str) -> str:
    """A further server of nginx at the same port."""
    pem = setup.folder / f"{name}.pem"
    pem.write_text(identity.key + identity.certificate)
    return f"""server {{
        listen 127.0.0.1:{setup.port} ssl; server_name {name};
        ssl_certificate {pem}; ssl_certificate_key {pem};
        return 200 '$ssl_protocol $ssl_server_name';
    }}"""


async def test_an_expired_certificate_is_told(egress: EgressClient, tmp_path: Path) -> None:
    identity = AUTHORITY.issue("127.0.0.1", days=-1)
    with running("nginx", Setup(tmp_path, identity=identity)) as server:
        response = await _ask(egress, server)
    assert (response.error, response.detail) == (EgressError.TLS, "certificate has expired")


@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def strict_nginx(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RealServer]:
    """An nginx that wants to see certificates of AUTHORITY."""
    more = f"ssl_protocols {request.param};"
    setup = Setup(tmp_path, 60, AUTHORITY.issue("127.0.0.1"), AUTHORITY.certificate, more)
    with running("nginx", setup) as server:
        yield server


async def test_a_certificate_of_ones_own_is_shown(
    egress: EgressClient, strict_nginx: RealServer
) -> None:
    own = AUTHORITY.issue("sender.example")
    for _ in range(3):
        response = await _ask(egress, strict_nginx, own)
        assert (response.status_code, response.body.split()[-1]) == (200, b"CN=sender.example")


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (None, b"No required SSL certificate was sent"),
        (OTHER_AUTHORITY.issue("sender.example"), b"The SSL certificate error"),
    ],
    ids=["none", "of another authority"],
)
async def test_nginx_says_itself_what_it_misses(
    egress: EgressClient, strict_nginx: RealServer, own: Identity | None, words: bytes
) -> None:
    """It ends the handshake well and answers 400, in words that are kept with the attempt."""
    response = await _ask(egress, strict_nginx, own)
    assert (response.status_code, response.error) == (400, None)
    assert words in response.body[:KEPT_ANSWER_BYTES]


@pytest.mark.parametrize(
    ("own", "detail"),
    [
        (None, "tlsv13 alert certificate required"),
        (OTHER_AUTHORITY.issue("sender.example"), "tlsv1 alert unknown ca"),
    ],
    ids=["none", "of another authority"],
)
async def test_go_ends_the_handshake_for_a_certificate_that_it_misses(
    egress: EgressClient, tmp_path: Path, own: Identity | None, detail: str
) -> None:
    """With TLS 1.3 that comes after our side of the handshake is done and the request is sent."""
    setup = Setup(tmp_path, 60, AUTHORITY.issue("127.0.0.1"), AUTHORITY.certificate)
    with running("go", setup) as server:
        for _ in range(20):
            response = await _ask(egress, server, own)
            assert (response.error, response.detail) == (EgressError.TLS, detail)
        good = await _ask(egress, server, AUTHORITY.issue("a.example"))
    assert good.status_code == 200
