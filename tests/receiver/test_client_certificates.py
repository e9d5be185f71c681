"""Client certificates: who gets in at which endpoint, and who does not."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL, crypto
from yarl import URL

from hookplane.config.base import RateLimit
from hookplane.config.endpoint import ClientCertificate, EndpointConfig
from hookplane.errors import InvalidValue
from hookplane.network.certificates import weak_signature
from hookplane.secret import Secret
from hookplane_receiver import client_certificates
from hookplane_receiver.client_certificates import NO_TLS, NONE_SHOWN, ClientVerifier
from support.clocks.manual import ManualClock
from support.http.tls import client_context, tls_settings
from support.kubernetes.pki import Authority, Pair
from support.planes.receiver import Door, endpoint, open_door

PARTNER = "CN=erp.partner.example"
REASON = "ClientCertificateMismatch"
HOUR = 3_600_000


def demanding(
    name: str, *authorities: Authority, subjects: tuple[str, ...] = (), **changes: Any
) -> EndpointConfig:
    """An endpoint that asks for nothing but a certificate."""
    pem = b"".join(x.certificate for x in authorities)
    demand = ClientCertificate(authorities=Secret(pem), subjects=subjects)
    facts: dict[str, Any] = {"keys": [], "signature": None, "client_certificate": demand}
    return endpoint(name, "Generic", **(facts | changes))


@asynccontextmanager
async def door_of(folder: Path, *endpoints: EndpointConfig, **more: Any) -> AsyncIterator[Door]:
    clock = ManualClock(int(time.time() * 1000))
    async with open_door(folder, *endpoints, clock=clock, tls=tls_settings(folder), **more) as door:
        yield door


async def refusal(door: Door, path: str, tls: ssl.SSLContext | None) -> str:
    """The detail of a 401 that is for the endpoint's people."""
    answer = await door.send(path, tls=tls)
    assert (answer.status, answer.body) == (401, b"Unauthorized\n")
    _, reason, detail, _ = door.activity.rejections[-1]
    assert reason == REASON
    return detail


async def test_the_right_certificate_gets_in(tmp_path: Path) -> None:
    ours = Authority("ours")
    async with door_of(tmp_path, demanding("a", ours, subjects=(PARTNER,))) as door:
        shown = client_context(ours.client("erp.partner.example"))
        assert (await door.send("/default/a", tls=shown)).status == 200
        assert len(await door.events("a")) == 1


async def test_without_tls_nobody_gets_in(tmp_path: Path) -> None:
    async with door_of(tmp_path, demanding("a", Authority("ours"))) as door:
        assert await refusal(door, "/default/a", None) == NO_TLS


async def test_headers_of_proxies_are_no_certificate(tmp_path: Path) -> None:
    ours = Authority("ours")
    async with door_of(tmp_path, demanding("a", ours), trusted_proxies=("127.0.0.1",)) as door:
        pem = ours.client("x").certificate.replace(b"\n", b"%0A").decode()
        told = [
            ("X-Forwarded-Client-Cert", pem),
            ("X-SSL-Cert", pem),
            ("X-Forwarded-Proto", "https"),
        ]
        assert (await door.send("/default/a", headers=told)).status == 401


async def test_who_shows_none_is_told_apart(tmp_path: Path) -> None:
    async with door_of(tmp_path, demanding("a", Authority("ours"))) as door:
        assert await refusal(door, "/default/a", client_context()) == NONE_SHOWN


async def test_other_layers_count_as_well(tmp_path: Path) -> None:
    ours = Authority("ours")
    config = endpoint("a", client_certificate=demanding("x", ours).client_certificate)
    async with door_of(tmp_path, config) as door:
        answer = await door.send("/default/a", tls=client_context(ours.client("x")))
        assert (answer.status, door.activity.rejections[-1][1]) == (401, "SignatureMissing")


async def test_rejections_are_counted_and_reported(tmp_path: Path) -> None:
    async with door_of(tmp_path, demanding("a", Authority("ours"))) as door:
        await refusal(door, "/default/a", client_context())
        labels = {"endpoint": "default/a", "reason": REASON}
        assert door.registry.get_sample_value("hookplane_rejected_total", labels) == 1
        await door.receiver.stop(1000)
        status = await door.status("a")
        assert status.rejected == {REASON: 1}
        assert status.last_rejected_detail == f"{NONE_SHOWN}, from 127.0.0.1"


async def test_the_body_of_a_stranger_is_not_read(tmp_path: Path) -> None:
    async with door_of(tmp_path, demanding("a", Authority("ours"), max_body_size=10)) as door:
        answer = await door.send("/default/a", b"x" * 100, tls=client_context())
        assert answer.status == 401


async def test_the_rate_comes_first(tmp_path: Path) -> None:
    rate = RateLimit(tokens=1, per=HOUR, burst=1)
    async with door_of(tmp_path, demanding("a", Authority("ours"), rate=rate)) as door:
        found = [(await door.send("/default/a", tls=client_context())).status for _ in range(2)]
        assert found == [401, 429]


async def test_suspended_stays_suspended(tmp_path: Path) -> None:
    async with door_of(tmp_path, demanding("a", Authority("ours"), suspended=True)) as door:
        assert (await door.send("/default/a", tls=client_context())).status == 503


# Attacks ----------------------------------------------------------------------------------------


@dataclass
class Attack:
    """Who believes in whom, what is shown, and what it is refused for."""

    believed: Authority
    shown: Pair
    beside: tuple[bytes, ...]
    words: str


def _attacks() -> dict[str, Attack]:
    ours, theirs = Authority("ours"), Authority("theirs")
    twin = Authority("ours")
    leaf = ours.client("erp.partner.example")
    name = "erp.partner.example"
    day = timedelta(days=1)
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    server = ExtendedKeyUsageOID.SERVER_AUTH
    code = ExtendedKeyUsageOID.CODE_SIGNING
    self_made = Pair(twin.key, twin.certificate)
    forged, issuer = _issued_by_a_leaf(ours)
    return {
        "another authority": Attack(ours, theirs.client(name), (), "issuer"),
        "another authority, sent along": Attack(
            ours, theirs.client(name), (theirs.certificate,), "self-signed"
        ),
        "an authority of the same name": Attack(ours, twin.client(name), (), "issuer"),
        "the same name, sent along": Attack(
            ours, twin.client(name), (twin.certificate, ours.certificate), ""
        ),
        "made by itself": Attack(ours, self_made, (), "self-signed"),
        "issued by somebody's leaf": Attack(ours, forged, (issuer,), ""),
        "expired": Attack(ours, ours.client(name, starts=-2 * day, ends=-day), (), "expired"),
        "not yet valid": Attack(ours, ours.client(name, starts=day, ends=2 * day), (), "not yet"),
        "only for servers": Attack(ours, ours.client(name, usage=server), (), "not for clients"),
        "for code": Attack(ours, ours.client(name, usage=code), (), "not for clients"),
        "another subject": Attack(ours, ours.client("erp.evil.example"), (), "none of subjects"),
        "a longer subject": Attack(ours, ours.client(name, "Evil"), (), "none of subjects"),
        "a subject in disguise": Attack(
            ours, ours.client("x,CN=erp.partner.example"), (), "none of subjects"
        ),
        "another case": Attack(ours, ours.client(name.upper()), (), "none of subjects"),
        "a weak key": Attack(ours, ours.client(name, key=weak), (), "2048 bits"),
        "a chain that leads nowhere": Attack(theirs, leaf, (ours.certificate,), "self-signed"),
    }


def _issued_by_a_leaf(ours: Authority) -> tuple[Pair, bytes]:
    """A certificate for anybody, made by somebody who has one that is for himself."""
    mallory = ours.client("mallory")
    return Authority.of(mallory).client("erp.partner.example"), mallory.certificate


ATTACKS = _attacks()


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_is_refused(tmp_path: Path, name: str) -> None:
    attack = ATTACKS[name]
    config = demanding("a", attack.believed, subjects=(PARTNER,))
    async with door_of(tmp_path, config) as door:
        shown = client_context(attack.shown, *attack.beside)
        assert attack.words in await refusal(door, "/default/a", shown)
        assert await door.events("a") == []


async def test_the_name_in_a_certificate_moves_no_cursor_in_a_status(tmp_path: Path) -> None:
    ours = Authority("ours")
    async with door_of(tmp_path, demanding("a", ours, subjects=(PARTNER,))) as door:
        shown = client_context(ours.client("\x1b[2Jevil\n\u202e"))
        assert "evil" in await refusal(door, "/default/a", shown)
        await door.receiver.stop(1000)
        detail = (await door.status("a")).last_rejected_detail
        assert "CN=�[2Jevil��" in detail
        assert detail.isprintable()


async def test_authorities_of_two_tenants_are_never_interchangeable(tmp_path: Path) -> None:
    """Each is trusted by a neighbour, and one has even taken the other's name."""
    one, other, twin = Authority("one"), Authority("other"), Authority("one")
    configs = [demanding("a", one), demanding("b", other), demanding("c", twin)]
    async with door_of(tmp_path, *configs) as door:
        for at, authority in zip("abc", (one, other, twin), strict=True):
            shown = client_context(authority.client("x"), one.certificate, twin.certificate)
            found = [(await door.send(f"/default/{name}", tls=shown)).status for name in "abc"]
            assert found == [200 if name == at else 401 for name in "abc"]


async def test_a_connection_that_got_in_here_does_not_get_in_there(tmp_path: Path) -> None:
    one = Authority("one")
    async with door_of(tmp_path, demanding("a", one), demanding("b", Authority("other"))) as door:
        shown = client_context(one.client("x"))
        found = [(await door.send(f"/default/{name}", tls=shown)).status for name in "abab"]
        assert found == [200, 401, 200, 401]


async def test_a_certificate_is_no_obstacle_where_none_is_asked_for(tmp_path: Path) -> None:
    """A neighbour's demand must not shut anybody out."""
    key = endpoint("b", "Generic", keys=[], signature=None, bearer=(Secret("t"),))
    async with door_of(tmp_path, demanding("a", Authority("ours")), key) as door:
        shown = client_context(Authority("nobody's").client("x"))
        bearer = [("Authorization", "Bearer t")]
        assert (await door.send("/default/b", headers=bearer, tls=shown)).status == 200


# Chains -----------------------------------------------------------------------------------------


async def test_intermediates_that_the_client_sends_count(tmp_path: Path) -> None:
    root = Authority("root")
    middle = Authority("middle", root)
    own = middle.client("x")
    async with door_of(tmp_path, demanding("a", root)) as door:
        alone, chained = client_context(own), client_context(own, middle.certificate)
        assert "issuer" in await refusal(door, "/default/a", alone)
        assert (await door.send("/default/a", tls=chained)).status == 200


async def test_an_intermediate_may_be_all_that_is_trusted(tmp_path: Path) -> None:
    root = Authority("root")
    middle, neighbour = Authority("middle", root), Authority("neighbour", root)
    async with door_of(tmp_path, demanding("a", middle)) as door:
        assert (await door.send("/default/a", tls=client_context(middle.client("x")))).status == 200
        for stranger in (root.client("x"), neighbour.client("x")):
            shown = client_context(stranger, neighbour.certificate, root.certificate)
            await refusal(door, "/default/a", shown)


async def test_a_single_certificate_may_be_all_that_is_trusted(tmp_path: Path) -> None:
    """And vouches for nobody else."""
    own = Authority("ours").client("x")
    async with door_of(tmp_path, demanding("a", Authority.of(own))) as door:
        assert (await door.send("/default/a", tls=client_context(own))).status == 200
        forged = Authority.of(own).client("x")
        assert "CA" in await refusal(door, "/default/a", client_context(forged, own.certificate))


async def test_any_of_several_authorities_will_do(tmp_path: Path) -> None:
    old, new = Authority("ours"), Authority("ours")
    async with door_of(tmp_path, demanding("a", old, new)) as door:
        for authority in (old, new):
            shown = client_context(authority.client("x"))
            assert (await door.send("/default/a", tls=shown)).status == 200


async def test_a_certificate_without_purposes_is_for_all(tmp_path: Path) -> None:
    ours = Authority("ours")
    async with door_of(tmp_path, demanding("a", ours)) as door:
        shown = client_context(ours.client("x", usage=None))
        assert (await door.send("/default/a", tls=shown)).status == 200


# What a connection remembers --------------------------------------------------------------------


async def test_a_kept_connection_is_verified_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Authority("ours")
    verified = _count(monkeypatch)
    async with door_of(tmp_path, demanding("a", ours)) as door:
        shown = client_context(ours.client("x"))
        for _ in range(5):
            assert (await door.send("/default/a", tls=shown)).status == 200
        assert len(verified) == 1
        door.clock.advance(client_certificates.HOLDS)
        assert (await door.send("/default/a", tls=shown)).status == 200
        assert len(verified) == 2


def _count(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each chain that OpenSSL verifies."""
    real, verified = crypto.X509StoreContext.get_verified_chain, []

    def verify(context: crypto.X509StoreContext) -> list[crypto.X509]:
        verified.append(1)
        return real(context)

    monkeypatch.setattr(crypto.X509StoreContext, "get_verified_chain", verify)
    return verified


async def test_a_change_of_the_authorities_holds_for_kept_connections(tmp_path: Path) -> None:
    old, new = Authority("old"), Authority("new")
    async with door_of(tmp_path, demanding("a", old)) as door:
        shown = client_context(old.client("x"))
        assert (await door.send("/default/a", tls=shown)).status == 200
        await door.configure(demanding("a", new))
        await refusal(door, "/default/a", shown)


async def test_a_certificate_that_expires_is_let_in_no_more(tmp_path: Path) -> None:
    ours = Authority("ours")
    async with door_of(tmp_path, demanding("a", ours)) as door:
        shown = client_context(ours.client("x", ends=timedelta(seconds=30)))
        assert (await door.send("/default/a", tls=shown)).status == 200
        door.clock.advance(client_certificates.HOLDS - 1)
        assert "expired" in await refusal(door, "/default/a", shown)


async def test_a_demand_that_is_new_reaches_connections_that_were_not_asked(
    tmp_path: Path,
) -> None:
    """The first refusal closes the connection, so the next one is asked."""
    ours = Authority("ours")
    key = endpoint("a", "Generic", keys=[], signature=None, bearer=(Secret("t"),))
    async with door_of(tmp_path, key) as door:
        shown = client_context(ours.client("x"))
        bearer = [("Authorization", "Bearer t")]
        assert (await door.send("/default/a", headers=bearer, tls=shown)).status == 200
        await door.configure(demanding("a", ours))
        assert await refusal(door, "/default/a", shown) == NONE_SHOWN
        assert (await door.send("/default/a", tls=shown)).status == 200


async def test_nobody_is_asked_without_need(tmp_path: Path) -> None:
    ours = Authority("ours")
    async with door_of(tmp_path, demanding("a", ours)) as door:
        asked: list[bool] = []
        for gone in ((), ("webhookendpoints/default/a",)):
            await door.configure(gone=gone)
            asked.append(await asyncio.to_thread(_is_asked, URL(door.tls_url)))
        assert asked == [True, False]


def _is_asked(url: URL) -> bool:
    """Whether a handshake with this server has a request for a certificate in it."""
    states: list[bytes] = []
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_info_callback(lambda connection, *_: states.append(connection.get_state_string()))
    with socket.create_connection((url.host, url.port)) as raw:
        connection = SSL.Connection(context, raw)
        connection.set_connect_state()
        connection.do_handshake()
    return any(b"certificate request" in state for state in states)


async def test_sessions_are_not_taken_up_again(tmp_path: Path) -> None:
    """A resumed one would lack the intermediates."""
    root = Authority("root")
    middle = Authority("middle", root)
    own = client_context(middle.client("x"), middle.certificate)
    own.maximum_version = ssl.TLSVersion.TLSv1_2
    async with door_of(tmp_path, demanding("a", root)) as door:
        for _ in range(3):
            answer = await door.send("/default/a", headers=[("Connection", "close")], tls=own)
            assert answer.status == 200


# Configuration ----------------------------------------------------------------------------------


async def test_authorities_that_cannot_be_read_open_nothing(tmp_path: Path) -> None:
    broken = ClientCertificate(authorities=Secret("no certificate"))
    config = endpoint("a", client_certificate=broken)
    async with door_of(tmp_path, config) as door:
        assert (await door.send("/default/a", tls=client_context())).status == 503


def test_a_demand_needs_subjects_that_can_be_read() -> None:
    pem = Secret(Authority("ours").certificate)
    with pytest.raises(InvalidValue, match="RFC 4514"):
        ClientVerifier(ClientCertificate(authorities=pem, subjects=("erp.partner.example",)))


def test_signatures_over_broken_digests_are_weak() -> None:
    assert weak_signature(x509.load_pem_x509_certificate(SHA1)) == "is signed with SHA1"
    assert weak_signature(x509.load_pem_x509_certificate(Authority("x").certificate)) == ""


SHA1 = b"""-----BEGIN CERTIFICATE-----
MIIBcTCCARigAwIBAgIUWyt6zGZdzf4/PLgfiOW1nUvFKVAwCQYHKoZIzj0EATAO
MQwwCgYDVQQDDANvbGQwIBcNMjYxMTI3MTIxMzI5WhgPMjEyNjExMDMxMjEzMjla
MA4xDDAKBgNVBAMMA29sZDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJw1LrqV
u0F+95LFNxDwPg2/c3yF4iNLbV5lWd7eaE2HQDb01YzOgMKzU33zkrZwT9Q+1DXC
wveguLAOw+KyrMKjUzBRMB0GA1UdDgQWBBSn/D/I6dVXWhq2YFucAVWSbdLEFjAf
BgNVHSMEGDAWgBSn/D/I6dVXWhq2YFucAVWSbdLEFjAPBgNVHRMBAf8EBTADAQH/
MAkGByqGSM49BAEDSAAwRQIgW/af5mkqIx8iQgd3nQmZ+wOUX2M0lEvIjKbo23i+
9JQCIQCYFmZcyv/zO65mY5tGqVwVt8CY9x+93yGdJ5LqYp8Oug==
-----END CERTIFICATE-----
"""
