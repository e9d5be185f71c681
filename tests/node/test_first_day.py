"""A platform team installs, an application team applies, breaks, mends and replays: with `kubectl`
and Helm only, through real pods."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import urllib.request
from typing import Any, Final

import yaml
from standardwebhooks import Webhook

from support.clocks.blocking import until
from support.kubernetes.control_plane import ROOT
from support.kubernetes.kubectl import condition
from support.kubernetes.manifests import Object, key_of, made
from support.node.figures import tell
from support.node.real import forwarded
from support.node.release import Release, is_failing
from support.node.tenant import Tenant, tenant

CHATBOT: Final = ROOT / "examples" / "chatbot.yaml"
APP_SECRET: Final = "0123456789abcdef0123456789abcdef"
MESSAGE: Final[Object] = {
    "object": "whatsapp_business_account",
    "entry": [
        {
            "id": "1",
            "changes": [
                {
                    "field": "messages",
                    "value": {"messages": [{"id": "wamid.1", "text": {"body": "hello"}}]},
                }
            ],
        }
    ],
}
CHANGES: Final = 100
"""Of a subscription, to see how soon each is in force."""


def test_the_chatbot_example_delivers_a_whatsapp_message(release: Release) -> None:
    with tenant(release.cluster, "chatbot") as team:
        team.run_subscriber("bot")
        team.kubectl.run("apply", "-f", str(CHATBOT))
        for found in yaml.safe_load_all(CHATBOT.read_text()):
            if found["kind"] != "Secret":
                team.await_ready(found["kind"], found["metadata"]["name"])
        assert post_to_whatsapp(release, team) == 200
        arrival = until(lambda: team.ask("bot", "arrivals"), "the message")[0]
        tell("first delivery after `helm install`", [release.age()])
        body = base64.b64decode(arrival["body"])
        assert json.loads(body) == MESSAGE
        assert arrival["path"] == "/events"
        Webhook(key_of(team.kubectl, "bot-pipeline-signing")).verify(body, arrival["headers"])
        seen = team.kubectl.until("whs", "bot-pipeline", lambda x: delivered(x) == 1)
        assert seen["status"]["state"] == "Delivering"
        shown = team.kubectl.run("get", "whs", "bot-pipeline", "--no-headers").split()
        assert shown[:6] == ["bot-pipeline", "True", "Delivering", "0", "0", "0"]


def post_to_whatsapp(release: Release, team: Tenant) -> int:
    """As Meta signs it, through the receivers' Service; the answer."""
    body = json.dumps(MESSAGE).encode()
    mac = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={mac}", "Content-Type": "application/json"}
    with forwarded(release.kubectl, "service/default-receiver", 80) as url:
        request = urllib.request.Request(  # noqa: S310
            f"{url}/{team.name}/whatsapp", data=body, headers=headers
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return int(answer.status)


def test_a_subscriber_breaks_is_mended_and_gets_a_replay(shop: Tenant) -> None:
    kubectl = shop.kubectl
    kubectl.apply(shop.shop(delivery={"retry": {"schedule": ["3s"] * 20}}))
    shop.await_ready("whs", "shop")
    shop.ask("sender", "start?rate=10&seconds=300")
    until(lambda: shop.ask("subscriber", "events"), "deliveries")

    shop.ask("subscriber", "behave?status=503")
    broken = time.monotonic()
    kubectl.until("whs", "shop", is_failing)
    tell("target breaks → `kubectl get` shows it", [time.monotonic() - broken])
    seen = shop.state("shop", "CircuitOpen")
    assert seen["status"]["delivery"]["circuit"] == "Open"
    assert seen["status"]["delivery"]["lastFailure"]["statusCode"] == 503
    assert "503" in condition(seen, "Delivering")["message"]
    assert condition(seen, "Ready")["status"] == "True", "what strangers do does not touch Ready"
    next_try = seen["status"]["delivery"]["nextRetryTime"]
    assert next_try == seen["status"]["delivery"]["blockedUntil"], "the probe's time"
    until(lambda: "CircuitOpen" in events_of(shop), "an Event")

    shop.ask("sender", "stop")
    report = until(lambda: ended(shop), "the last event to be accepted")
    shop.ask("subscriber", "behave?status=200")
    shop.state("shop", "Delivering")
    numbers = set(report["accepted"])
    until(lambda: numbers <= shop.ask("subscriber", "events").keys(), "all deliveries", 120)
    kubectl.until("whs", "shop", lambda x: delivered(x) == len(numbers), 120)

    before = len(shop.ask("subscriber", "arrivals?most=100000"))
    events = {"from": "2026-01-01T00:00:00Z", "states": ["Delivered"]}
    kubectl.apply(
        made("WebhookReplay", "again", {"subscriptionRef": {"name": "shop"}, "events": events})
    )
    done = kubectl.until("whr", "again", lambda x: x.get("status", {}).get("state") == "Complete")
    assert done["status"]["delivered"] == len(numbers)
    replayed = shop.ask("subscriber", f"arrivals?after={before}&most=100000")
    assert {number_of(x) for x in replayed} == numbers
    assert all("hookplane-replay" in x["headers"] for x in replayed)


def test_a_change_is_in_force_in_all_pods(shop: Tenant) -> None:
    """Ready for a generation means: every dispatcher has it."""
    waited = []
    for number in range(CHANGES):
        shop.kubectl.apply(shop.shop(target=target_of(f"/{number}")))
        applied = time.monotonic()
        shop.await_ready("whs", "shop")
        waited.append(time.monotonic() - applied)
    tell("changed subscription → in force in all dispatchers", waited)
    shop.ask("sender", "start?rate=10&seconds=1")
    arrivals = until(lambda: shop.ask("subscriber", "arrivals"), "deliveries")
    assert {x["path"] for x in arrivals} == {f"/{CHANGES - 1}"}


def target_of(path: str) -> Object:
    return {"serviceRef": {"name": "subscriber", "port": 8080, "path": path}}


def delivered(found: Object) -> int:
    return int(found.get("status", {}).get("delivery", {}).get("delivered", 0))


def ended(team: Tenant) -> Any:
    report = team.ask("sender", "report")
    return None if report["running"] else report


def events_of(team: Tenant) -> str:
    return team.kubectl.run("get", "events", "--field-selector", "involvedObject.name=shop")


def number_of(arrival: Object) -> str:
    return str(json.loads(base64.b64decode(arrival["body"]))["data"]["number"])
