"""Which addresses may be dialled and which URLs are read, form by form."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookplane.errors import InvalidValue
from hookplane.network.addresses import (
    DENIED_PORTS,
    MAX_URL_LENGTH,
    AddressNotAllowed,
    AddressPolicy,
    ParsedTarget,
    check_url,
)


def _words(text: str) -> list[str]:
    return text.split()


EVERYTHING = AddressPolicy(allowed=("0.0.0.0/0", "::/0"))

NEVER = _words("""
0.0.0.0 0.1.2.3 169.254.0.1 169.254.169.254 169.254.170.2 169.254.170.23 100.100.100.200
168.63.129.16 192.0.0.192 224.0.0.1 239.255.255.255 255.255.255.255
:: ::2 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:169.254.169.254 64:ff9b::7f00:1
64:ff9b:1::a00:1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2002:7f00:1:: 2002:a00:1::1 fe80::1
fe80::1%eth0 fec0::1 ff02::1 fd00:ec2::254 fd00:ec2::23 fd20:ce::254 2606:4700::1%eth0
fd00:ec2::123 fd00:ec2::253 2606:4700::5efe:7f00:1 2606:4700::200:5efe:a9fe:a9fe fd12::5efe:a00:1
""")

SPECIAL = _words("""
10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 100.127.255.255
192.0.0.1 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 240.0.0.1
fc00::1 fd12:3456::1 100::1 2001:2::1 2001:db8::1 2001:20::1 3fff::1 3fff:fff::1 5f00::1 4000::1
""")

LOOPBACK = ["127.0.0.1", "127.0.0.53", "127.255.255.254", "::1"]

PUBLIC = _words("""
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0
192.0.1.1 198.17.255.255 198.20.0.0 223.255.255.255 2606:4700::1111 2001:4860:4860::8888 2a00::1
""")


@pytest.mark.parametrize("ip", NEVER)
def test_no_allow_list_opens_metadata_link_local_and_disguises(ip: str) -> None:
    assert not AddressPolicy().permits(ip)
    assert not EVERYTHING.permits(ip)
    assert not AddressPolicy(loopback=True).permits(ip)


@pytest.mark.parametrize("ip", SPECIAL)
def test_private_and_reserved_ranges_need_the_allow_list(ip: str) -> None:
    assert not AddressPolicy(loopback=True).permits(ip)
    assert EVERYTHING.permits(ip)


@pytest.mark.parametrize("ip", LOOPBACK)
def test_loopback_is_a_switch_of_its_own(ip: str) -> None:
    assert AddressPolicy(loopback=True).permits(ip)
    assert not EVERYTHING.permits(ip)


@pytest.mark.parametrize("ip", PUBLIC)
def test_public_addresses_are_always_fine(ip: str) -> None:
    assert AddressPolicy().permits(ip)


def test_an_allow_list_opens_only_its_ranges() -> None:
    policy = AddressPolicy(allowed=("10.1.0.0/16", "fd12::/16"))
    assert policy.permits("10.1.2.3")
    assert policy.permits("fd12::1")
    assert not policy.permits("10.2.0.1")
    assert not policy.permits("fd13::1")


@pytest.mark.parametrize("text", ["", "example.com", "127.1", "0x7f000001", "2130706433", "1.2.3"])
def test_what_is_not_an_address_is_not_permitted(text: str) -> None:
    assert not EVERYTHING.permits(text)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "ten", "10.0.0.0/33", ""])
def test_an_allow_list_of_nonsense_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="write it like"):
        AddressPolicy(allowed=(text,))


@given(st.ip_addresses(v=4))
def test_ipv4_follows_the_registry(ip: IPv4Address) -> None:
    """Stricter than the standard library's `is_global`, never laxer."""
    assert ip.is_global or not AddressPolicy().permits(ip)


@given(st.ip_addresses(v=6))
def test_ipv6_follows_the_registry(ip: IPv6Address) -> None:
    assert ip.is_global or not AddressPolicy().permits(ip)


@given(st.ip_addresses(v=4))
def test_ipv4_inside_ipv6_is_never_dialled(ip: IPv4Address) -> None:
    for form in (f"::ffff:{ip}", f"::{ip}", f"64:ff9b::{ip}"):
        assert not EVERYTHING.permits(form) or form == "::0.0.0.1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.com", ParsedTarget("https", "example.com", 443, "/")),
        ("http://example.com/", ParsedTarget("http", "example.com", 80, "/")),
        ("HTTPS://Example.COM:8443/A?b=C", ParsedTarget("https", "example.com", 8443, "/A?b=C")),
        ("https://example.com?x=/y", ParsedTarget("https", "example.com", 443, "/?x=/y")),
        ("https://example.com./p", ParsedTarget("https", "example.com", 443, "/p")),
        ("https://example.com/a%2Fb", ParsedTarget("https", "example.com", 443, "/a%2Fb")),
        ("https://example.com/a@b:c", ParsedTarget("https", "example.com", 443, "/a@b:c")),
        ("https://8.8.8.8/p", ParsedTarget("https", "8.8.8.8", 443, "/p")),
        ("https://[2606:4700::1111]:444", ParsedTarget("https", "2606:4700::1111", 444, "/")),
        ("https://[2606:4700:0:0::1]/", ParsedTarget("https", "2606:4700::1", 443, "/")),
        ("https://bücher.example/", ParsedTarget("https", "xn--bcher-kva.example", 443, "/")),
        ("https://BÜCHER.example/", ParsedTarget("https", "xn--bcher-kva.example", 443, "/")),
        ("https://例え.jp/", ParsedTarget("https", "xn--r8jz45g.jp", 443, "/")),
        ("https://a_b.example/", ParsedTarget("https", "a_b.example", 443, "/")),
        ("http://bot.chat.svc:8080/p", ParsedTarget("http", "bot.chat.svc", 8080, "/p")),
    ],
)
def test_urls_are_read_canonically(text: str, expected: ParsedTarget) -> None:
    assert check_url(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no scheme"),
        ("example.com/hooks", "no scheme"),
        ("//example.com", "no scheme"),
        ("https:example.com", "no scheme"),
        ("https:///hooks", "not a host name"),
        ("https://", "not a host name"),
        ("ftp://example.com", "not http or https"),
        ("file:///etc/passwd", "not http or https"),
        ("gopher://example.com", "not http or https"),
        ("https://user@example.com", "user or password"),
        ("https://user:pass@example.com", "user or password"),
        ("https://example.com@evil.example", "user or password"),
        ("https://example.com/#part", "fragment"),
        ("https://example.com#@evil.example", "fragment"),
        ("https://example.com\\@evil.example", "backslash"),
        ("https://example.com\t/", "white space"),
        ("https://exa mple.com/", "white space"),
        (" https://example.com/", "white space"),
        ("https://example.com/\r\nX: y", "white space"),
        ("https://example.com/\x00", "white space"),
        ("https://example.com/\u00a0", "white space"),
        ("https://example.com/\u2028", "white space"),
        ("https://exa\u200bmple.com/", "white space"),
        ("https://example.com/ü", "%XX"),
        ("https://example.com:/", "1 to 65535"),
        ("https://example.com:0/", "1 to 65535"),
        ("https://example.com:65536/", "1 to 65535"),
        ("https://example.com:-1/", "1 to 65535"),
        ("https://example.com:8o/", "1 to 65535"),
        ("https://example.com:٤٤٣/", "1 to 65535"),
        ("https://example.com:443:443/", "1 to 65535"),
        ("https://example..com/", "not a host name"),
        ("https://example.com../", "not a host name"),
        ("https://.example.com/", "not a host name"),
        ("https://-a.example/", "not a host name"),
        ("https://a-.example/", "not a host name"),
        ("https://exa%6dple.com/", "not a host name"),
        ("https://exa*mple.com/", "not a host name"),
        (f"https://{'a' * 64}.example/", "not a host name"),
        (f"https://{'a.' * 130}example/", "not a host name"),
        ("https://a‥b/", "not a host name"),
        (f"https://example.com/{'a' * MAX_URL_LENGTH}", "longer than"),
        ("https://[::1", "not an IPv6 address"),
        ("https://[fe80::1%25eth0]/", "not an IPv6 address"),
        ("https://[fe80::1%eth0]/", "not an IPv6 address"),
        ("https://[example.com]/", "not an IPv6 address"),
        ("https://[127.0.0.1]/", "not an IPv6 address"),
        ("https://[v1.x]/", "not an IPv6 address"),
        ("https://[]/", "not an IPv6 address"),
        ("https://[2606:4700::1]x/", "not an IPv6 address"),
        ("https://2606:4700::1/", "1 to 65535"),
    ],
)
def test_what_is_not_a_target_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        check_url(text, AddressPolicy(loopback=True))


@pytest.mark.parametrize(
    "host",
    _words("""
    127.1 127.0.1 2130706433 0x7f000001 0x7f.0.0.1 0177.0.0.1 017700000001 127.0.0.1. 1.2.3
    127.0.0.01 1.2.3.4.5 256.1.1.1 0x a.0x7f a.1 0 ①②⑦.⓪.⓪.① 127。0。0。1 ①②⑦.0.0.1
    ٣.٣.٣.٣ 8。8。8。8
    127\uff0e0\uff0e0\uff0e1 \uff11\uff12\uff17.0.0.1
    """),
)
def test_addresses_in_other_forms_are_refused_even_when_loopback_is_fine(host: str) -> None:
    with pytest.raises(InvalidValue):
        check_url(f"http://{host}:8080/", AddressPolicy(loopback=True))


@pytest.mark.parametrize("host", [*NEVER, *SPECIAL, *LOOPBACK])
def test_literals_follow_the_policy(host: str) -> None:
    literal = f"[{host}]" if ":" in host else host
    with pytest.raises(AddressNotAllowed if "%" not in host else InvalidValue):
        check_url(f"http://{literal}/", AddressPolicy())


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "a.localhost"])
def test_localhost_is_for_laptops(host: str) -> None:
    with pytest.raises(InvalidValue, match="this machine"):
        check_url(f"http://{host}:8080/")
    assert check_url(f"http://{host}:8080/", AddressPolicy(loopback=True)).port == 8080


@pytest.mark.parametrize(
    "host", ["metadata.google.internal", "METADATA.google.internal.", "metadata"]
)
def test_names_of_metadata_services_are_refused(host: str) -> None:
    with pytest.raises(InvalidValue, match="metadata"):
        check_url(f"http://{host}/", AddressPolicy(loopback=True))


@pytest.mark.parametrize(
    "port", ["0", "65536", "000443", "x", "-1", "+80", "\uff18\uff10", "9" * 1000]
)
def test_what_is_no_port(port: str) -> None:
    with pytest.raises(InvalidValue, match="the port is not a number from 1 to 65535"):
        check_url(f"http://example.com:{port}/")


SERVICES = [1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 53, 69, 110, 111, 119, 123, 135, 137]
SERVICES += [139, 143, 161, 179, 389, 445, 465, 512, 513, 514, 515, 587, 636, 993, 995, 1433, 1521]
SERVICES += [2049, 2375, 2376, 2379, 2380, 3306, 3389, 5432, 5672, 6000, 6379, 6443, 9042, 10250]
SERVICES += [10255, 11211, 27017]


def test_the_table_of_other_services_is_whole() -> None:
    assert sorted(DENIED_PORTS) == [0, *SERVICES]


@pytest.mark.parametrize("port", [port for port in DENIED_PORTS if port])
def test_ports_of_other_services_are_refused_with_the_reason(port: int) -> None:
    with pytest.raises(InvalidValue, match=DENIED_PORTS[port]):
        check_url(f"http://example.com:{port}/")


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}/", f"https://a.example{text}"):
        try:
            parsed = check_url(url)
        except InvalidValue:
            continue
        assert parsed.host.isascii()
        assert parsed.host == parsed.host.lower()
        assert parsed.path.startswith("/")


def test_messages_keep_the_path_to_themselves() -> None:
    for url in ("https://user@example.com/s3cret", "https://127.0.0.1/s3cret", "ftp://a/s3cret"):
        with pytest.raises(InvalidValue) as refused:
            check_url(url)
        assert "s3cret" not in str(refused.value)


def test_how_long_a_host_name_may_be() -> None:
    longest = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert check_url(f"https://{longest}./hook").host == longest
    with pytest.raises(InvalidValue, match="is not a host name"):
        check_url(f"https://{longest}b/hook")
