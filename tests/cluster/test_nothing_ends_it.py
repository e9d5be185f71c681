"""The operator as a process, while something between it and the API server answers in its place: it
never ends, and goes on when that is over."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from support.clocks.blocking import until
from support.kubernetes.api_proxy import ApiProxy, Effect, answers, empty, half, html
from support.kubernetes.installation import Installation
from support.kubernetes.kubectl import Kubectl, is_ready
from support.kubernetes.manifests import endpoint
from support.kubernetes.operator import answers_ready

pytestmark = pytest.mark.slow
ALL = r"."
ASKED = (r"GET .*leases/", r"(PUT|POST) .*leases", r"PATCH .*/status", ALL)
BAD = {
    "a page": html(),
    "a page of an error": html(503),
    "nothing": empty(),
    "no content": empty(204),
    "half an object": half,
    "another object": answers(200, b'{"kind": "Pod", "metadata": {"name": "x"}}'),
    "a number": answers(200, b"1"),
}


@pytest.fixture(scope="module")
def place(proxied: Installation) -> Installation:
    return proxied


@pytest.fixture
def kubectl(place: Installation, proxy: ApiProxy) -> Iterator[Kubectl]:
    yield place.kubectl
    proxy.clear()


@pytest.mark.parametrize("effect", BAD.values(), ids=BAD)
def test_no_answer_ends_it(
    place: Installation, kubectl: Kubectl, proxy: ApiProxy, effect: Effect
) -> None:
    name = f"e-{time.monotonic_ns()}"
    rules = [proxy.add(asked, effect, times=3, agent="hookplane") for asked in ASKED]
    kubectl.apply(endpoint(name))
    until(lambda: place.operator.has_ended() or all(x.left == 0 for x in rules), "the answers", 90)
    proxy.clear()
    kubectl.until("whe", name, is_ready, seconds=90)
    assert not place.operator.has_ended()


def test_it_waits_for_an_api_server_that_is_not_there_yet(
    place: Installation, kubectl: Kubectl, proxy: ApiProxy
) -> None:
    place.operator.stop()
    mark = len(place.operator.output())
    proxy.add(ALL, html(503))
    place.operator.spawn()
    until(lambda: "waiting for the API server" in place.operator.output()[mark:], "it to say so")
    assert not answers_ready(place.operator.health)
    proxy.clear()
    kubectl.apply(endpoint("late"))
    kubectl.until("whe", "late", is_ready, seconds=90)
    assert not place.operator.has_ended()
