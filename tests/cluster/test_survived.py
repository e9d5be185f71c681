"""What networks, other tools and odd objects do to the operator, each alone: it goes on, and what
users ask is in force once it can be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from hookplane.kinds.conditions import Reason
from support.chaos.networks import STATUSES, TROUBLES, WATCHES, WRITES
from support.clocks.blocking import until
from support.kubernetes.api_proxy import ApiProxy
from support.kubernetes.audit import about, is_told
from support.kubernetes.installation import Installation
from support.kubernetes.kubectl import Kubectl, condition, is_ready
from support.kubernetes.manifests import Sender, endpoint, key_of, secret, subscription

pytestmark = pytest.mark.slow
TAKEN = (200, 202, 204)
URL = "https://shop.example.com"
EVERYTHING = ""
ANNOTATIONS = 200 << 10
"""Bytes; Kubernetes takes 256 KiB of them."""


@pytest.fixture(scope="module")
def place(proxied: Installation) -> Installation:
    return proxied


@pytest.fixture
def kubectl(place: Installation, proxy: ApiProxy) -> Iterator[Kubectl]:
    """Nothing ends the operator."""
    yield place.kubectl
    proxy.clear()
    assert place.operator.exit_code is None, place.operator.output()[-3000:]


@pytest.fixture
def name() -> str:
    return f"x{os.urandom(3).hex()}"


def takes(place: Installation, name: str) -> bool:
    return Sender.of(place.kubectl, place.pods, name).post(os.urandom(4).hex()) in TAKEN


def in_force(place: Installation, name: str) -> None:
    """An endpoint of this name, and its deletion."""
    place.kubectl.until("whe", name, is_ready)
    sender = Sender.of(place.kubectl, place.pods, name)
    assert sender.post(os.urandom(4).hex()) in TAKEN
    place.kubectl.run("delete", "whe", name)
    until(lambda: sender.post(os.urandom(4).hex()) == 404, "the deletion in force", 120)


BROKEN = [
    *((trouble, EVERYTHING, 5) for trouble in ("401", "403", "429", "500", "503", "504")),
    *((trouble, EVERYTHING, 5) for trouble in ("resets", "slow")),
    *(("lost answers", where, 2) for where in (WRITES, STATUSES)),
    *(("409", where, 1) for where in (WRITES, STATUSES)),
    ("410", WATCHES, 5),
]
"""What befalls which requests, and how many of them."""


@pytest.mark.parametrize(("trouble", "where", "times"), BROKEN)
def test_what_networks_do(
    place: Installation,
    kubectl: Kubectl,
    proxy: ApiProxy,
    name: str,
    trouble: str,
    where: str,
    times: int,
) -> None:
    rule = proxy.add(where, TROUBLES[trouble].effect)
    proxy.cut()
    kubectl.apply(endpoint(name))
    until(lambda: rule.hits >= times, "requests that it befell")
    proxy.remove(rule)
    in_force(place, name)


@pytest.mark.parametrize("line", [b'{"type": "MODI', b"\n", b'{"type": "ERROR", "object": {}}\n'])
def test_half_lines_and_strange_ones_in_a_watch(
    place: Installation, kubectl: Kubectl, proxy: ApiProxy, name: str, line: bytes
) -> None:
    assert proxy.inject("webhookendpoints.*watch", line) > 0
    proxy.cut("webhookendpoints.*watch")
    kubectl.apply(endpoint(name))
    in_force(place, name)


def test_names_as_long_as_they_may_be(place: Installation, kubectl: Kubectl) -> None:
    longest, too_long = "n" * 52, "n" * 253
    assert "at most 52 characters" in kubectl.refused(endpoint(too_long))
    kubectl.apply(endpoint(longest), subscription(longest, [longest], URL))
    for kind in ("whe", "whs"):
        kubectl.until(kind, longest, is_ready)
    in_force(place, longest)


def test_labels_that_flap_cost_no_writes(place: Installation, kubectl: Kubectl, name: str) -> None:
    kubectl.apply(endpoint(name))
    kubectl.until("whe", name, is_ready)
    place.settle()
    mark = len(place.plane.audited())
    for number in range(40):
        kubectl.run("label", "whe", name, "--overwrite", f"seen={number}")
        kubectl.run("annotate", "whe", name, "--overwrite", f"seen={number}")
    place.settle()
    written = [about(x) for x in place.writes(mark) if is_told(x)]
    assert [x for x in written if x == ("webhookendpoints", name)] == []


def test_a_secret_of_a_megabyte_and_much_annotation(
    place: Installation, kubectl: Kubectl, name: str
) -> None:
    kubectl.run("create", "-f", "-", given=_yaml(secret(name, key="x" * 1_000_000)))
    ref = {"secretKeyRef": {"name": name, "key": "key"}}
    wanted = endpoint(name, verification={"keys": [ref]})
    wanted["metadata"]["annotations"] = {"example.com/notes": "x" * ANNOTATIONS}
    kubectl.run("create", "-f", "-", given=_yaml(wanted))
    kubectl.until("whe", name, is_ready)
    kubectl.run("delete", f"whe/{name}", f"secret/{name}")


def _yaml(wanted: dict[str, Any]) -> str:
    return yaml.safe_dump(wanted)


def test_a_finalizer_of_somebody_else(place: Installation, kubectl: Kubectl, name: str) -> None:
    wanted = endpoint(name)
    wanted["metadata"]["finalizers"] = ["example.com/backup"]
    kubectl.apply(wanted, endpoint(f"{name}-beside"))
    for one in (name, f"{name}-beside"):
        kubectl.until("whe", one, is_ready)
    sender = Sender.of(kubectl, place.pods, name)
    kubectl.run("delete", "whe", name, "--wait=false")
    in_force(place, f"{name}-beside")
    kubectl.run("patch", "whe", name, "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    until(lambda: kubectl.find("whe", name) is None, "its end")
    until(lambda: sender.post(os.urandom(4).hex()) == 404, "the deletion in force")


def test_a_status_that_somebody_else_wrote(
    place: Installation, kubectl: Kubectl, name: str
) -> None:
    kubectl.apply(endpoint(name))
    kubectl.until("whe", name, is_ready)
    said = '{"status": {"conditions": null, "url": "https://evil.example.com"}}'
    kubectl.run("patch", "whe", name, "--subresource=status", "--type=merge", "-p", said)
    kubectl.run("patch", "whe", name, "--type=merge", "-p", '{"spec": {"suspend": true}}')
    found = kubectl.until("whe", name, is_ready)
    assert found["status"]["url"].startswith("https://hooks.example.com/")


def test_a_generated_secret_that_is_immutable_is_told_when_it_should_change(
    place: Installation, kubectl: Kubectl, name: str
) -> None:
    kubectl.apply(endpoint(name))
    kubectl.until("whe", name, is_ready)
    own = f"{name}-verification"
    kubectl.run("patch", "secret", own, "--type=merge", "-p", '{"immutable": true}')
    key = key_of(kubectl, own)
    kubectl.run("annotate", "whe", name, "hookplane.dev/rotate=1")
    found = kubectl.until("whe", name, lambda x: not is_ready(x))
    assert f'Secret "{own}" cannot be made' in condition(found, "SecretsResolved")["message"]
    in_force_still = Sender.of(kubectl, place.pods, name)
    assert in_force_still.post("m1") in TAKEN
    assert key_of(kubectl, own) == key
    kubectl.run("delete", "secret", own)
    until(lambda: kubectl.find("secret", own) is not None, "another one", 120)
    until(lambda: takes(place, name), "the new key to work", 120)


def test_a_secret_that_goes_and_comes_back(
    place: Installation, kubectl: Kubectl, name: str
) -> None:
    ref = {"secretKeyRef": {"name": name, "key": "key"}}
    given = secret(name, key="whsec_" + "a2V5" * 8)
    kubectl.apply(given, endpoint(name, verification={"keys": [ref]}))
    kubectl.until("whe", name, is_ready)
    url = f"{place.pods.receiver().url}/{kubectl.namespace}/{name}"
    sender = Sender(url, "a2V5" * 8)
    kubectl.run("delete", "secret", name)
    found = kubectl.until("whe", name, lambda x: condition(x, "Ready")["status"] == "False")
    assert condition(found, "SecretsResolved")["reason"] == Reason.SECRET_NOT_FOUND
    until(lambda: sender.post(os.urandom(4).hex()) == 503, "503")
    kubectl.apply(given | {"immutable": True})
    kubectl.until("whe", name, is_ready)
    until(lambda: sender.post(os.urandom(4).hex()) in TAKEN, "it to take requests")
