from __future__ import annotations

import socket

import pytest

from hookplane.listening import listen_everywhere, plain_address


def peer_of(listener: socket.socket, family: socket.AddressFamily, host: str) -> str:
    with socket.socket(family) as client:
        client.connect((host, listener.getsockname()[1]))
        accepted, peer = listener.accept()
        accepted.close()
    return plain_address(peer[0])


def test_one_socket_takes_both_address_families() -> None:
    with listen_everywhere(0) as listener:
        assert peer_of(listener, socket.AF_INET, "127.0.0.1") == "127.0.0.1"
        if socket.has_dualstack_ipv6():
            assert peer_of(listener, socket.AF_INET6, "::1") == "::1"


def test_a_taken_port_is_told() -> None:
    with listen_everywhere(0) as listener, pytest.raises(OSError, match="in use"):
        listen_everywhere(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:0:1", "::ffff:0:1"),
    ],
)
def test_addresses_are_shown_as_people_write_them(text: str, plain: str) -> None:
    assert plain_address(text) == plain
