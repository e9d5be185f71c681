"""Which requests the admin API does not even look at."""

from __future__ import annotations

import pytest

from hookplane_console.middleware import Guard, host_name
from hookplane_console.responses import Refusal

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("listen", "host"),
    [
        ("127.0.0.1", "127.0.0.1:8081"),
        ("127.0.0.1", "localhost:8081"),
        ("127.0.0.1", "LocalHost"),
        # a tunnel's other end
        ("127.0.0.1", "127.8.8.8:1"),
        ("[::1]", "[::1]:8081"),
        ("10.0.0.7", "10.0.0.7:8081"),
        ("hookplane.lan", "Hookplane.lan:8081"),
        # bound to all: probes and scrapes use the pod's address
        ("0.0.0.0", "10.1.2.3:8081"),  # noqa: S104 - nothing binds here
        ("[::]", "[fd00::1]:8081"),
    ],
)
def test_names_of_this_machine_pass(listen: str, host: str) -> None:
    Guard(listen).check("GET", {"Host": host})


@pytest.mark.parametrize(
    ("listen", "host"),
    [
        # DNS rebinding: the page's own name, now resolving to the loopback
        ("127.0.0.1", "evil.example:8081"),
        ("127.0.0.1", "localhost.evil.example"),
        ("127.0.0.1", "127.0.0.1.evil.example:8081"),
        ("127.0.0.1", "10.0.0.7:8081"),
        ("127.0.0.1", ""),
        # what begins with a name of ours is none
        ("127.0.0.1", "[::1]evil"),
        ("127.0.0.1", "[::1]evil.example:8081"),
        ("127.0.0.1", "[::1].evil.example"),
        ("127.0.0.1", "[::1]:8081.evil.example"),
        ("127.0.0.1", "127.0.0.1:8081@evil.example"),
        ("127.0.0.1", "localhost:evil"),
        ("127.0.0.1", "[::1"),
        ("127.0.0.1", "::1"),
        ("0.0.0.0", "evil.example"),  # noqa: S104 - nothing binds here
        ("10.0.0.7", "10.0.0.8"),
    ],
)
def test_other_names_do_not(listen: str, host: str) -> None:
    with pytest.raises(Refusal) as refused:
        Guard(listen).check("GET", {"Host": host})
    assert refused.value.status == 421


@pytest.mark.parametrize(
    "origin",
    [
        "http://127.0.0.1:9999",
        "https://127.0.0.1:8081",
        "http://evil.example",
        # a sandboxed frame or a file
        "null",
        "",
    ],
)
def test_other_origins_do_not_pass(origin: str) -> None:
    with pytest.raises(Refusal) as refused:
        Guard("127.0.0.1").check("GET", {"Host": "127.0.0.1:8081", "Origin": origin})
    assert refused.value.status == 403


def test_the_own_origin_passes() -> None:
    headers = {"Host": "127.0.0.1:8081", "Origin": "http://127.0.0.1:8081"}
    Guard("127.0.0.1").check("GET", headers)


@pytest.mark.parametrize(
    "media_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_what_a_form_can_send_is_refused(media_type: str) -> None:
    with pytest.raises(Refusal) as refused:
        Guard("127.0.0.1").check("POST", {"Host": "localhost", "Content-Type": media_type})
    assert refused.value.status == 415


def test_json_passes() -> None:
    headers = {"Host": "localhost", "Content-Type": "Application/JSON; charset=utf-8"}
    Guard("127.0.0.1").check("POST", headers)


def test_host_names() -> None:
    assert host_name("[::1]:8081") == "::1"
    assert host_name("Example:1") == "example"
