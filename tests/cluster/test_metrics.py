"""`GET /metrics` of every process of a cluster, at work."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.clocks.blocking import until
from support.http.subscriber import target
from support.http.tls import server_pair
from support.kubernetes.control_plane import ROOT
from support.kubernetes.installation import (
    Installation,
    gateway_spec,
    installation,
    reachable_address,
)
from support.kubernetes.kubectl import is_ready
from support.kubernetes.manifests import endpoint, post, subscription, tls_secret
from support.kubernetes.monitoring import expressions, metrics_asked_for
from support.kubernetes.operator import answers_ready
from support.kubernetes.promtool import promtool

ROLES = ("operator", "receiver", "dispatcher", "console")
OF_PROMETHEUS = frozenset({"namespace", "pod"})
"""Labels that it adds itself."""
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Role → what it shows after an event was taken, one was refused, and one delivered."""
    more = {"console": {"enabled": True}, "receiver": {"tls": {"certificateRef": {"name": "own"}}}}
    spec = gateway_spec(reachable_address()) | more
    folder = tmp_path_factory.mktemp("metrics")
    with installation(folder, defaultGateway={"enabled": True, "spec": spec}) as place:
        place.kubectl.apply(tls_secret("own", server_pair()))
        yield use(place)


def use(place: Installation) -> dict[str, str]:
    kubectl = place.kubectl
    with target(reachable_address()) as subscriber:
        kubectl.apply(endpoint("orders"), subscription("shop", ["orders"], subscriber.url))
        kubectl.until("whs", "shop", is_ready)
        assert post(kubectl, place.pods, "orders", "m1") in (200, 202, 204)
        until(subscriber.taken, "the delivery")
    until(lambda: {x.role for x in place.pods.pods.values()} >= set(ROLES[1:]), "all roles", 60)
    ports = {x.role: x.health for x in place.pods.pods.values()}
    ports["operator"] = place.operator.health
    for port in ports.values():
        until(lambda port=port: answers_ready(port), "readiness", 60)  # type: ignore[misc]
    return {role: page(ports[role]) for role in ROLES}


def page(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return str(answer.read().decode())


def exported(text: str) -> dict[str, str]:
    """Family → type."""
    return dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))


@pytest.mark.parametrize("role", ROLES)
def test_promtool_finds_nothing_to_complain_about(pages: dict[str, str], role: str) -> None:
    assert promtool("check", "metrics", given=pages[role]) == ""


def test_alerts_and_dashboard_ask_for_what_is_exported(pages: dict[str, str]) -> None:
    families = {name: family for text in pages.values() for name, family in exported(text).items()}
    series = {
        name + suffix for name, family in families.items() for suffix in SUFFIXES.get(family, ("",))
    }
    assert metrics_asked_for() - series == set()


def test_alerts_and_dashboard_ask_for_labels_that_there_are(pages: dict[str, str]) -> None:
    labels: dict[str, set[str]] = {}
    for name, inside in re.findall(
        r"^(\w+)(?:\{(.*)\})? ", "\n".join(pages.values()), re.MULTILINE
    ):
        labels.setdefault(name, set()).update(re.findall(r'(\w+)="', inside))
    for expression in expressions():
        names = re.findall(r"hookplane_\w+", expression)
        if not names or any(name not in labels for name in names):
            continue  # of the kubelet's, or nothing went wrong that it would count
        there = OF_PROMETHEUS.union(*(labels[name] for name in names))
        assert labels_asked_for(expression) - there == set(), expression


def labels_asked_for(expression: str) -> set[str]:
    grouped = ",".join(re.findall(r"by \(([^)]*)\)", expression))
    selected = re.findall(r"(\w+)=~?\"", expression)
    return {x.strip() for x in grouped.split(",") if x.strip()} | set(selected)


def test_the_end_of_the_certificate_is_told(pages: dict[str, str]) -> None:
    name = "hookplane_tls_certificate_expiry_timestamp_seconds"
    (end,) = re.findall(rf"^{name} (.*)$", pages["receiver"], re.MULTILINE)
    assert float(end) > time.time()


def test_the_reference_lists_all_of_ours_with_their_types(pages: dict[str, str]) -> None:
    text = (ROOT / Path("docs/spec/metrics.md")).read_text()
    listed = dict(re.findall(r"^\| `(hookplane_\w+)` \| (\w+) \|", text, re.MULTILINE))
    ours = {
        name: family
        for page in pages.values()
        for name, family in exported(page).items()
        if name.startswith("hookplane_")
    }
    assert ours == listed


@pytest.mark.parametrize("role", ["operator", "receiver", "dispatcher"])
def test_the_reference_lists_every_task(pages: dict[str, str], role: str) -> None:
    text = (ROOT / Path("docs/spec/metrics.md")).read_text()
    name = f"hookplane_{role}_task_failures_total"
    (row,) = re.findall(rf"^\| `{name}` .*$", text, re.MULTILINE)
    tasks = set(re.findall(rf'^{name}{{task="(\w+)"', pages[role], re.MULTILINE))
    assert tasks - set(re.findall(r"`(\w+)`", row)) == set()
