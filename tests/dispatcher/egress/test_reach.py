"""Where requests must not get: every way to write this machine, and names that lie."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from hookplane.network.addresses import MAX_URL_LENGTH, OwnPlace
from hookplane.secret import Secret
from hookplane_dispatcher.egress.client import EgressClient, EgressError, OutboundRequest
from hookplane_dispatcher.egress.guard import AddressGuard, RefusedAddress
from support.http.egress import LONG, SHORT, Names, post
from support.http.targets import OK, answers, target
from support.kubernetes.installation import reachable_address

PRIVATE, PORT = "10.9.8.7", 8081
Maker = Callable[[AddressGuard], EgressClient]

LITERALS = (
    "http://127.0.0.1:{port}/",
    "http://127.0.0.2:{port}/",
    "http://127.255.255.254:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0.0.0.1:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]:{port}/",
    "http://[::]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[::7f00:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::FFFF:127.0.0.1]:{port}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
    "http://[::ffff:0.0.0.0]:{port}/",
    "http://[::ffff:0:127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[64:ff9b:1::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2001:0:7f00:1::]:{port}/",
    "http://[::1%lo]:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://[fe80::1]:{port}/",
    "http://169.254.169.254:{port}/latest/meta-data/",
    "http://[fd00:ec2::254]:{port}/",
    "http://100.100.100.200:{port}/",
    "http://10.0.0.1:{port}/",
    "http://192.168.0.1:{port}/",
    "http://172.17.0.1:{port}/",
    "http://100.64.0.1:{port}/",
    "http://255.255.255.255:{port}/",
    "http://224.0.0.1:{port}/",
    "HTTP://127.0.0.1:{port}/",
)
"""Well-formed, but to where nothing may go."""

TRICKS = (
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://0:{port}/",
    "http://2130706433:{port}/",
    "http://017700000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://0177.0.0.01:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0x0.0x0.0x1:{port}/",
    "http://0x7f.1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.0.0.1..:{port}/",
    "http://127.000.000.001:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://127\uff0e0\uff0e0\uff0e1:{port}/",
    "http://127\uff610\uff610\uff611:{port}/",
    "http://\uff11\uff12\uff17.0.0.1:{port}/",
    "http://٣٢١.٠.٠.١:{port}/",
    "http://user@127.0.0.1:{port}/",
    "http://user:pass@127.0.0.1:{port}/",
    "http://example.com@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}@example.com/",
    "http://example.com#@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.com/",
    "http://example.com\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@example.com/",
    "http://[127.0.0.1]:{port}/",
    "http://[::1]]:{port}/",
    "http://[[::1]]:{port}/",
    "http://[localhost]:{port}/",
    "http://127.0.0.1\t:{port}/",
    "http://127.0.0.1%00.example.com:{port}/",
    "http://127.0.0.1%2eexample.com:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://127.0.0.1 :{port}/",
    "http:\\\\127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}/",
    "\thttp://127.0.0.1:{port}/",
    "file://127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/",
    "ws://127.0.0.1:{port}/",
    "unix://127.0.0.1:{port}/",
    "http+unix://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}:80/",
    "http://127.0.0.1:0{port}0/",
    "http://\u200b127.0.0.1:{port}/",
    "http://127.0.0.1:{port}/\r\nHost: x",
    "http://127.0.0.1:{port}/" + "a" * MAX_URL_LENGTH,
    "",
)
"""Not a URL, or one that two readers read in two ways."""

NAMES = (
    "http://localhost:{port}/",
    "http://LocalHost:{port}/",
    "http://localhost.:{port}/",
    "http://a.localhost:{port}/",
    "http://ｌｏｃａｌｈｏｓｔ:{port}/",
    "http://metadata.google.internal:{port}/",
    "http://METADATA.google.internal.:{port}/",
    "http://localtest.example:{port}/",
    "http://LOCALTEST.example.:{port}/",
    "http://bot.chat.svc:{port}/",
    "http://kubernetes.default.svc.cluster.local:{port}/",
    "http://bücher.example:{port}/",
    "http://127.0.0.1.nip.example:{port}/",
    "http://a:{port}/",
)
"""Names; every one of them resolves to this machine."""


async def _hits(client: EgressClient, url: str) -> tuple[EgressError | None, int]:
    """Canaries listen on the same port in both families."""
    async with (
        target(answers(OK)) as canary,
        target(answers(OK), host="::1", port=canary.port) as sixth,
    ):
        response = await client.post(post(url.replace("{port}", str(canary.port))))
        return response.error, canary.connections + sixth.connections


@pytest.mark.parametrize("url", LITERALS)
async def test_no_literal_reaches_this_machine(make: Maker, url: str) -> None:
    client = make(AddressGuard(lookup=Names(["127.0.0.1"])))
    error, hits = await _hits(client, url)
    assert hits == 0
    assert error in {EgressError.REFUSED_ADDRESS, EgressError.BAD_URL}


@pytest.mark.parametrize("url", TRICKS)
@pytest.mark.parametrize("loopback", [False, True])
async def test_no_trick_is_read_at_all(make: Maker, url: str, loopback: bool) -> None:
    client = make(AddressGuard(loopback=loopback, lookup=Names(["127.0.0.1"])))
    error, hits = await _hits(client, url)
    assert (error, hits) == (EgressError.BAD_URL, 0)


@pytest.mark.parametrize("url", NAMES)
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.1"])
async def test_no_name_leads_to_this_machine(make: Maker, url: str, address: str) -> None:
    client = make(AddressGuard(lookup=Names([address])))
    assert await _hits(client, url) == (EgressError.REFUSED_ADDRESS, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "name.example"])
async def test_the_canary_can_be_reached_when_it_may(make: Maker, host: str) -> None:
    client = make(AddressGuard(loopback=True, lookup=Names(["127.0.0.1"])))
    assert await _hits(client, f"http://{host}:{{port}}/") == (None, 1)


@pytest.mark.parametrize(
    "bad",
    [
        ["169.254.169.254"],
        ["10.0.0.1", "192.168.0.1"],
        ["fd00:ec2::254"],
        ["fe80::1%1"],
        ["64:ff9b::a9fe:a9fe"],
        ["not an address"],
        [],
    ],
)
async def test_a_name_is_refused_when_no_permitted_address_is_left(
    make: Maker, bad: list[str]
) -> None:
    client = make(AddressGuard(loopback=True, lookup=Names(bad)))
    response = await client.post(post("http://name.example/s3cret"))
    assert response.error is EgressError.REFUSED_ADDRESS
    assert response.detail.startswith(bad[0] if bad else "the name has none")
    hidden = await client.post(replace(post("http://name.example/s3cret"), hidden=True))
    assert (hidden.error, hidden.detail) == (EgressError.REFUSED_ADDRESS, "")


async def test_a_refusal_says_what_would_let_it_through(make: Maker) -> None:
    for url in ("http://name.example/", "http://10.9.8.7/"):
        response = await make(AddressGuard(lookup=Names(["10.9.8.7"]))).post(post(url))
        assert response.error is EgressError.REFUSED_ADDRESS
        assert response.detail == (
            "10.9.8.7 is not a public address, and its range is not allowed: see "
            "dispatcher.egress.allowedCIDRs of the gateway, or --allow-cidr"
        )


@pytest.mark.parametrize("host", ["name.example", PRIVATE])
@pytest.mark.parametrize(
    "own",
    [
        OwnPlace(PRIVATE),
        OwnPlace("ours.example"),
        OwnPlace(PRIVATE, PORT),
        OwnPlace("ours.example", PORT),
    ],
)
async def test_what_is_hookplanes_own_gets_nothing(make: Maker, host: str, own: OwnPlace) -> None:
    """By whatever name it is known, and whatever ranges are allowed."""
    guard = AddressGuard(allowed=("10.0.0.0/8",), own=[own], lookup=Names([PRIVATE]))
    response = await make(guard).post(post(f"http://{host}:{PORT}/"))
    assert response.error is EgressError.REFUSED_ADDRESS
    assert response.detail.startswith(f"{PRIVATE} at port {PORT} is no target: it is Hookplane's")


async def test_other_ports_of_the_databases_machine_are_not_hookplanes(make: Maker) -> None:
    own = OwnPlace("127.0.0.1", 6432)
    client = make(AddressGuard(loopback=True, own=[own]))
    assert await _hits(client, "http://127.0.0.1:{port}/") == (None, 1)


async def test_what_cannot_be_looked_up_is_where_it_was(make: Maker) -> None:
    async def lookup(host: str) -> list[str]:
        if host == "gone.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return ["127.0.0.1"]

    own = [OwnPlace("gone.example"), OwnPlace("ours.example")]
    client = make(AddressGuard(loopback=True, own=own, lookup=lookup))
    error, hits = await _hits(client, "http://name.example:{port}/")
    assert (error, hits) == (EgressError.REFUSED_ADDRESS, 0)


async def test_the_addresses_of_a_service_are_for_one_request_alone(make: Maker) -> None:
    """A connection that was made for one subscription serves no other one."""
    address = reachable_address()
    client = make(AddressGuard(lookup=Names([address])))
    async with target(answers(OK), host=address) as seen:
        plain = post(seen.url(host="web.shop.svc"))
        allowed = replace(plain, services=(address,))
        for _ in range(2):
            assert (await client.post(allowed)).status_code == 200
            assert (await client.post(plain)).error is EgressError.REFUSED_ADDRESS
        elsewhere = replace(plain, services=("10.0.0.1",))
        assert (await client.post(elsewhere)).error is EgressError.REFUSED_ADDRESS
    assert seen.connections == 1


@pytest.mark.parametrize("address", ["169.254.169.254", "127.0.0.1", "::1"])
async def test_no_service_leads_to_metadata_or_this_machine(make: Maker, address: str) -> None:
    client = make(AddressGuard(lookup=Names([address])))
    request = replace(post("http://web.shop.svc/"), services=(address,))
    assert (await client.post(request)).error is EgressError.REFUSED_ADDRESS


async def test_only_the_permitted_of_several_addresses_is_dialled(make: Maker) -> None:
    names = Names(["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "127.0.0.1", "fd00::1"])
    client = make(AddressGuard(loopback=True, lookup=names))
    async with target(answers(OK)) as seen:
        response = await client.post(post(seen.url(host="name.example")))
    assert (response.status_code, seen.connections) == (200, 1)
    assert seen.header("host") == [f"name.example:{seen.port}"]


async def test_a_name_that_changes_its_mind_is_checked_anew(make: Maker) -> None:
    """The first connection goes where it may; the second would go to metadata."""
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    client = make(AddressGuard(loopback=True, lookup=names))
    async with target(answers(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", close=True)) as seen:
        first = await client.post(post(seen.url(host="name.example")))
        second = await client.post(post(seen.url(host="name.example")))
    assert first.status_code == 200
    assert second.error is EgressError.REFUSED_ADDRESS
    assert (seen.connections, seen.header("host")) == (1, [f"name.example:{seen.port}"])


async def test_a_name_is_looked_up_once_for_a_connection(make: Maker) -> None:
    """What was checked is what is dialled: no second look-up could give another answer."""
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    client = make(AddressGuard(loopback=True, lookup=names))
    async with target(answers(OK)) as seen:
        for _ in range(3):
            assert (await client.post(post(seen.url(host="name.example")))).status_code == 200
    assert names.asked == ["name.example"]


async def test_two_names_of_one_address_share_no_connection(make: Maker) -> None:
    client = make(AddressGuard(loopback=True, lookup=Names(["127.0.0.1"])))
    async with target(answers(OK)) as seen:
        for host in ("one.example", "two.example", "one.example", "127.0.0.1"):
            assert (await client.post(post(seen.url(host=host)))).status_code == 200
            assert seen.header("host") == [f"{host}:{seen.port}"]
    assert seen.connections == 3


async def test_many_at_once_ask_a_name_server_once(make: Maker) -> None:
    """Or a name whose server does not answer would hold all threads for look-ups."""
    names, answer = Names(["127.0.0.1"]), asyncio.Event()

    async def slow(host: str) -> Sequence[str]:
        found = await names(host)
        await answer.wait()
        return found

    client = make(AddressGuard(loopback=True, lookup=slow))
    async with target(answers(OK)) as seen:
        url = seen.url(host="name.example")
        impatient = await client.post(post(url, timeout=SHORT))
        waiting = [asyncio.ensure_future(client.post(post(url))) for _ in range(20)]
        await asyncio.sleep(0)
        answer.set()
        responses = await asyncio.gather(*waiting)
    assert impatient.error is EgressError.TIMEOUT
    assert {response.status_code for response in responses} == {200}
    assert names.asked == ["name.example"]


async def test_the_next_address_is_tried_when_one_does_not_answer(make: Maker) -> None:
    names = Names(["127.0.0.9", "127.0.0.1"])
    client = make(AddressGuard(loopback=True, lookup=names))
    async with target(answers(OK)) as seen:
        response = await client.post(post(seen.url(host="name.example"), timeout=LONG))
    assert (response.status_code, seen.connections) == (200, 1)


async def test_a_name_that_does_not_resolve_says_so(make: Maker) -> None:
    async def unknown(host: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    client = make(AddressGuard(lookup=unknown))
    response = await client.post(post("http://s3cret.example/s3cret"))
    assert (response.error, response.detail) == (EgressError.DNS, "")


async def test_the_system_resolver_is_behind_the_same_guard(make: Maker) -> None:
    async with target(answers(OK)) as seen:
        refused = await make(AddressGuard()).post(post(seen.url(host="localhost")))
        assert (refused.error, seen.connections) == (EgressError.REFUSED_ADDRESS, 0)
        reached = await make(AddressGuard(loopback=True)).post(post(seen.url(host="localhost")))
        assert (reached.status_code, seen.connections) == (200, 1)


@pytest.mark.parametrize("ip", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::ffff:127.0.0.1"])
def test_the_last_look_is_at_the_address_itself(ip: str) -> None:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with pytest.raises(RefusedAddress):
        AddressGuard().socket((family, socket.SOCK_STREAM, 0, "", (ip, 80)))


@pytest.mark.parametrize("port", [22, 25, 6379, 6443, 0, 65536])
async def test_ports_of_other_services_are_refused(make: Maker, port: int) -> None:
    client = make(AddressGuard(loopback=True))
    response = await client.post(post(f"http://127.0.0.1:{port}/"))
    assert response.error is EgressError.BAD_URL


async def test_a_url_that_is_not_text_is_refused(make: Maker) -> None:
    client = make(AddressGuard(loopback=True))
    response = await client.post(OutboundRequest(Secret(b"http://\xff\xfe/"), (), b"", LONG))
    assert response.error is EgressError.BAD_URL
