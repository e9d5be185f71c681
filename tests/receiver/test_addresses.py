"""Whose address counts behind proxies."""

from __future__ import annotations

import pytest

from hookplane_receiver.addresses import client_address, contains, network_of, networks

PROXIES = networks(["10.0.0.0/8", "fd00::/8"])
HOPS: list[tuple[str, list[str], str]] = [
    ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),  # a stranger says what it likes
    ("10.0.0.1", [], "10.0.0.1"),
    ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
    ("10.0.0.1", ["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
    ("10.0.0.1", ["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
    ("10.0.0.1", ["203.0.113.9", "10.0.0.2"], "203.0.113.9"),  # two headers are one list
    ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
    ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
    ("10.0.0.1", ["nonsense"], "nonsense"),
    ("10.0.0.1", ["203.0.113.9:51234"], "203.0.113.9"),  # some proxies write a port
    ("10.0.0.1", ["[2001:db8::7]:443"], "2001:db8::7"),
    ("10.0.0.1", ["[2001:db8::7]"], "2001:db8::7"),
    ("10.0.0.1", ["203.0.113.9:1, 10.0.0.2:80, [fd00::2]:80"], "203.0.113.9"),
    ("10.0.0.1", ["203.0.113.9:x"], "203.0.113.9:x"),
    ("10.0.0.1", ["[2001:db8::7]443"], "[2001:db8::7]443"),
    ("10.0.0.1", ["203.0.113.9,"], "10.0.0.1"),
    ("10.0.0.1", [", ".join(["203.0.113.9"] + ["10.0.0.2"] * 5000)], "10.0.0.2"),
]


@pytest.mark.parametrize(("peer", "forwarded", "client"), HOPS)
def test_the_nearest_untrusted_address_counts(peer: str, forwarded: list[str], client: str) -> None:
    headers = [("x-forwarded-for", value) for value in forwarded]
    assert client_address(peer, headers, PROXIES) == client


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1%eth0", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_who_has_an_address_has_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize("text", ["", "nonsense", "10.0.0.1:80", "10.1", "0x0a000001", "unknown"])
def test_what_is_no_address_is_in_no_range(text: str) -> None:
    assert not contains(PROXIES, text)
    assert not contains(networks(["0.0.0.0/0", "::/0"]), text)


def test_a_range_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        networks(["10.0.0.0/8", "example.com"])
