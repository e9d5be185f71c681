"""`kubectl get` and `kubectl get -o wide` as users see them: a golden file.

`HOOKPLANE_UPDATE_GOLDEN=1` writes it anew."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.clocks.blocking import until
from support.http.subscriber import Target, target
from support.kubernetes.installation import Installation, installation, reachable_address
from support.kubernetes.kubectl import Kubectl, is_ready
from support.kubernetes.manifests import endpoint, made, post, subscription

GOLDEN = Path(__file__).parent / "golden" / "kubectl-get.txt"
QUICK = {"retry": {"schedule": ["1h"]}, "circuit": {"failures": 2}}
_AGE = re.compile(r"\b(\d+[smh]){1,2}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("golden")) as made_here:
        yield made_here


def state_is(kubectl: Kubectl, name: str, state: str) -> None:
    kubectl.until("whs", name, lambda x: x.get("status", {}).get("state") == state)


def arrange(place: Installation, up: Target, down: Target) -> None:
    """Something in every state."""
    kubectl = place.kubectl
    down.status = 503
    kubectl.apply(
        endpoint("orders"),
        endpoint("quiet"),
        endpoint("github", provider="Nobody"),
        subscription("shop", ["orders"], f"{up.url}/shop", delivery=QUICK),
        subscription(
            "failing",
            ["orders"],
            f"{down.url}/failing",
            delivery={"retry": {"schedule": ["1h"]}, "circuit": {"failures": 1000}},
        ),
        subscription("open", ["orders"], f"{down.url}/open", delivery=QUICK),
        subscription("paused", ["orders"], f"{up.url}/paused", suspend=True),
        subscription("idle", ["quiet"], f"{up.url}/idle"),
        subscription("lost", ["nothing"], f"{up.url}/lost"),
    )
    for name in ("shop", "failing", "open", "paused", "idle"):
        kubectl.until("whs", name, is_ready)
    for number in range(3):
        assert post(kubectl, place.pods, "orders", f"m{number}") in (200, 202, 204)
    until(lambda: len(up.taken("/shop")) == 3, "deliveries")
    state_is(kubectl, "shop", "Delivering")
    state_is(kubectl, "failing", "Failing")
    state_is(kubectl, "open", "CircuitOpen")
    kubectl.until("whe", "orders", lambda x: x["status"].get("state") == "Receiving")
    events = {"from": "2026-01-01T00:00:00Z", "states": ["Delivered"]}
    kubectl.apply(
        made("WebhookReplay", "weekend", {"subscriptionRef": {"name": "shop"}, "events": events})
    )
    kubectl.until("whr", "weekend", lambda x: x.get("status", {}).get("state") == "Complete")
    until(place.operator.is_at_work, "all statuses to be written", 90)


def plain(text: str, replaced: dict[str, str]) -> str:
    for old, new in replaced.items():
        text = text.replace(old, new)
    lines = _TIME.sub("<time>", text).splitlines()
    return "\n".join(re.sub(r" {2,}", "  ", _AGE.sub("<age>", line)).rstrip() for line in lines)


def test_what_users_see(place: Installation) -> None:
    kubectl = place.kubectl
    with target(reachable_address()) as up, target(reachable_address()) as down:
        arrange(place, up, down)
        names = {
            kubectl.namespace: "chatbot",
            up.url.removeprefix("http://"): "shop.example.com",
            down.url.removeprefix("http://"): "down.example.com",
        }
        parts = []
        for kind in ("whg", "whe", "whs", "whr"):
            for options in ([], ["-o", "wide"]):
                shown = kubectl.run("get", kind, *options)
                command = " ".join(["$ kubectl get", kind, *options])
                parts.append(f"{command}\n{plain(shown, names)}\n")
    text = "\n".join(parts)
    if os.environ.get("HOOKPLANE_UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()
