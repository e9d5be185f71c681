"""The operator at a real API server and a real database: what users apply, and what they see."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from standardwebhooks import Webhook

from hookplane.kinds.conditions import ConditionType, Reason
from support.clocks.blocking import until
from support.http.subscriber import Target
from support.kubernetes.control_plane import ROOT
from support.kubernetes.installation import Installation, installation
from support.kubernetes.kubectl import Kubectl, condition, is_ready
from support.kubernetes.manifests import endpoint, key_of, made, post, secret, service, subscription
from support.kubernetes.pki import Authority

_names = (f"x{number}" for number in itertools.count())
QUICK = {"retry": {"schedule": ["1s"] * 10 + ["3s"] * 22}, "circuit": {"failures": 1000}}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("operator")) as made:
        yield made


@pytest.fixture
def name() -> str:
    return next(_names)


def wait_ready(kubectl: Kubectl, kind: str, name: str) -> dict[str, Any]:
    return kubectl.until(kind, name, is_ready)


def pair(kubectl: Kubectl, name: str, subscriber: Target, **spec: Any) -> None:
    """An endpoint and a subscription of this name, in force."""
    url = f"{subscriber.url}/{name}"
    kubectl.apply(endpoint(name), subscription(name, [name], url, **{"delivery": QUICK} | spec))
    wait_ready(kubectl, "whe", name)
    wait_ready(kubectl, "whs", name)


def backlog(place: Installation, name: str, subscriber: Target, count: int) -> None:
    """So many events are accepted that the subscriber does not take yet."""
    pair(place.kubectl, name, subscriber)
    subscriber.status = 503
    for number in range(count):
        assert post(place.kubectl, place.pods, name, f"m{number}") in (200, 202, 204)


def refused(kubectl: Kubectl, kind: str, name: str, type: str, reason: Reason) -> str:  # noqa: A002
    """The message of a condition that is False for this reason."""
    found = kubectl.until(kind, name, lambda x: condition(x, type).get("reason") == reason.value)
    assert condition(found, type)["status"] == "False"
    assert condition(found, "Ready")["status"] == "False"
    message: str = condition(found, type)["message"]
    return message


def test_an_event_flows_and_is_counted(
    place: Installation, kubectl: Kubectl, subscriber: Target, name: str
) -> None:
    pair(kubectl, name, subscriber)
    assert post(kubectl, place.pods, name, "m1") in (200, 202, 204)
    arrival = until(lambda: subscriber.taken(f"/{name}"), "the delivery")[0]
    Webhook(key_of(kubectl, f"{name}-signing")).verify(arrival.body, arrival.headers)
    found = kubectl.until("whs", name, lambda x: x["status"].get("state") == "Delivering")
    assert found["status"]["delivery"]["delivered"] == 1
    assert condition(found, "Delivering")["status"] == "True"
    seen = kubectl.until("whe", name, lambda x: x["status"].get("state") == "Receiving")
    assert seen["status"]["requests"]["accepted"] == 1
    assert seen["status"]["url"] == f"https://hooks.example.com/{kubectl.namespace}/{name}"


def test_wait_works(kubectl: Kubectl, subscriber: Target, name: str) -> None:
    kubectl.apply(endpoint(name), subscription(name, [name], subscriber.url))
    for kind in ("whe", "whs"):
        kubectl.run("wait", "--for=condition=Ready", "--timeout=60s", f"{kind}/{name}")
    kubectl.run("wait", "--for=condition=Ready", "--timeout=60s", "whg/default")


def test_a_failing_target_is_seen_and_heals(
    place: Installation, kubectl: Kubectl, subscriber: Target, name: str
) -> None:
    pair(kubectl, name, subscriber)
    subscriber.status = 503
    post(kubectl, place.pods, name, "m1")
    begun = time.monotonic()
    found = kubectl.until("whs", name, lambda x: x["status"].get("state") == "Failing")
    print(f"a failing target is visible after {time.monotonic() - begun:.1f} s")
    delivering = condition(found, "Delivering")
    assert delivering["reason"] == Reason.TARGET_FAILING
    assert "503" in delivering["message"]
    assert condition(found, "Ready")["status"] == "True"
    subscriber.status = 200
    kubectl.until("whs", name, lambda x: x["status"].get("state") == "Delivering")
    assert len(subscriber.taken(f"/{name}")) == 1
    told = until(lambda: events_of(kubectl, name, "Warning"), "an Event")
    assert "TargetFailing" in told


def events_of(kubectl: Kubectl, name: str, kind: str) -> str:
    return kubectl.run(
        "get", "events", "--field-selector", f"involvedObject.name={name},type={kind}"
    )


def test_a_missing_secret_is_named_and_found_when_it_comes(
    kubectl: Kubectl, subscriber: Target, name: str
) -> None:
    ref = {"secretKeyRef": {"name": name, "key": "key"}}
    kubectl.apply(endpoint(name, provider="GitHub", verification={"keys": [ref]}))
    message = refused(kubectl, "whe", name, ConditionType.SECRETS_RESOLVED, Reason.SECRET_NOT_FOUND)
    assert f'there is no Secret "{name}"' in message
    kubectl.apply(secret(name, other="x"))
    message = refused_later(kubectl, name, Reason.SECRET_KEY_NOT_FOUND)
    assert "it has: other" in message


def refused_later(kubectl: Kubectl, name: str, reason: Reason) -> str:
    """Secrets are looked at once a minute."""
    found = kubectl.until(
        "whe", name, lambda x: condition(x, "SecretsResolved").get("reason") == reason.value
    )
    message: str = condition(found, "SecretsResolved")["message"]
    return message


def test_what_compiling_refuses_is_told_and_the_last_good_stays(
    place: Installation, kubectl: Kubectl, subscriber: Target, name: str
) -> None:
    pair(kubectl, name, subscriber)
    bad = subscription(name, [name], f"{subscriber.url}/{name}", filter={"cel": "event.typ == ''"})
    kubectl.apply(bad)
    message = refused(kubectl, "whs", name, ConditionType.ACCEPTED, Reason.INVALID)
    assert message.startswith("spec.filter.cel: line 1, column 6: event has no member 'typ'")
    found = kubectl.get("whs", name)
    assert condition(found, "Stalled")["status"] == "True"
    post(kubectl, place.pods, name, "m1")
    until(lambda: subscriber.taken(f"/{name}"), "a delivery by the last good spec")


def test_a_provider_that_is_unknown(kubectl: Kubectl, name: str) -> None:
    kubectl.apply(endpoint(name, provider="Nobody"))
    message = refused(kubectl, "whe", name, ConditionType.ACCEPTED, Reason.UNKNOWN_PROVIDER)
    assert "GitHub" in message


def test_a_client_certificate_that_nobody_asks_for_is_not_accepted(
    kubectl: Kubectl, name: str
) -> None:
    certificate = Authority("partner").certificate.decode()
    ca = {"secretKeyRef": {"name": name, "key": "ca.crt"}}
    kubectl.apply(
        secret(name, **{"ca.crt": certificate}),
        endpoint(name, provider="Generic", verification={"clientCertificate": {"ca": ca}}),
    )
    refused(kubectl, "whe", name, ConditionType.ACCEPTED, Reason.NOT_SUPPORTED)


def test_a_target_inside_is_refused_unless_the_gateway_allows_it(
    kubectl: Kubectl, name: str
) -> None:
    kubectl.apply(endpoint(name), subscription(name, [name], "http://10.1.2.3/x"))
    refused(kubectl, "whs", name, ConditionType.ACCEPTED, Reason.NOT_ALLOWED)
    kubectl.apply(subscription(name, [name], "http://169.254.169.254/latest"))
    refused(kubectl, "whs", name, ConditionType.ACCEPTED, Reason.NOT_ALLOWED)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (None, "there is no Service"),
        ({"type": "ExternalName", "externalName": "evil.example"}, "ExternalName"),
        ({"ports": [{"port": 80}]}, "no selector"),
    ],
)
def test_services_that_lead_elsewhere_are_refused(
    kubectl: Kubectl, name: str, spec: dict[str, Any] | None, words: str
) -> None:
    if spec is not None:
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}}
        kubectl.apply({**service, "spec": spec})
    aim = {"serviceRef": {"name": name, "port": 80}}
    refs = [{"name": name}]
    kubectl.apply(
        endpoint(name), made("WebhookSubscription", name, {"endpointRefs": refs, "target": aim})
    )
    assert words in refused(kubectl, "whs", name, ConditionType.ACCEPTED, Reason.NOT_ALLOWED)


def test_a_service_of_the_namespace_is_allowed_by_its_address(
    place: Installation, kubectl: Kubectl, name: str
) -> None:
    spec = {"ports": [{"port": 80}], "selector": {"app": name}}
    metadata = {"name": name}
    kubectl.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    aim = {"serviceRef": {"name": name}}
    whole = {"endpointRefs": [{"name": name}], "target": aim}
    kubectl.apply(endpoint(name), made("WebhookSubscription", name, whole))
    uid = wait_ready(kubectl, "whs", name)["metadata"]["uid"]
    rows = place.sql("select uid, convert_from(document, 'utf8') from hookplane.config")
    found = dict(line.split("|", 1) for line in rows.splitlines())
    address = kubectl.get("service", name)["spec"]["clusterIP"]
    assert json.loads(found[uid])["target"]["services"] == [address]


@pytest.mark.parametrize("role", ["operator", "postgresql"])
def test_services_of_hookplane_itself_are_no_targets(
    kubectl: Kubectl, name: str, role: str
) -> None:
    labels = {"app.kubernetes.io/part-of": "hookplane", "app.kubernetes.io/component": role}
    own = service(name)
    kubectl.apply(own | {"metadata": own["metadata"] | {"labels": labels}})
    aim = {"serviceRef": {"name": name}}
    whole = {"endpointRefs": [{"name": name}], "target": aim}
    kubectl.apply(endpoint(name), made("WebhookSubscription", name, whole))
    message = refused(kubectl, "whs", name, ConditionType.ACCEPTED, Reason.NOT_ALLOWED)
    assert "is Hookplane's own" in message


def test_the_api_server_is_no_target(kubectl: Kubectl, name: str) -> None:
    kubectl.apply(endpoint(name), subscription(name, [name], "https://kubernetes.default.svc/api"))
    message = refused(kubectl, "whs", name, ConditionType.ACCEPTED, Reason.NOT_ALLOWED)
    assert "is no target: it is Hookplane's own, or the cluster's" in message


def test_a_subscription_waits_for_its_endpoint(
    kubectl: Kubectl, subscriber: Target, name: str
) -> None:
    kubectl.apply(subscription(name, [name], subscriber.url))
    message = refused(
        kubectl, "whs", name, ConditionType.ENDPOINTS_RESOLVED, Reason.ENDPOINT_NOT_FOUND
    )
    assert f'there is no WebhookEndpoint "{name}"' in message
    kubectl.apply(endpoint(name))
    wait_ready(kubectl, "whs", name)


def test_a_misspelt_endpoint_is_told_and_leaves_none(
    place: Installation, kubectl: Kubectl, subscriber: Target, name: str
) -> None:
    pair(kubectl, name, subscriber)
    url = f"{subscriber.url}/{name}"
    kubectl.apply(subscription(name, [f"{name}x"], url, delivery=QUICK))
    message = refused(
        kubectl, "whs", name, ConditionType.ENDPOINTS_RESOLVED, Reason.ENDPOINT_NOT_FOUND
    )
    assert f'did you mean "{name}"?' in message
    assert post(kubectl, place.pods, name, "m1") in (200, 202, 204)
    until(lambda: subscriber.taken(f"/{name}"), "a delivery of what it reads on")


def test_a_gateway_that_is_not_there(kubectl: Kubectl, name: str) -> None:
    kubectl.apply(endpoint(name, gatewayRef={"name": "nowhere"}))
    refused(kubectl, "whe", name, ConditionType.ACCEPTED, Reason.GATEWAY_NOT_FOUND)


def test_a_secret_of_somebody_else_is_not_taken(kubectl: Kubectl, name: str) -> None:
    kubectl.apply(secret(f"{name}-verification", key="mine"), endpoint(name))
    refused(kubectl, "whe", name, ConditionType.SECRETS_RESOLVED, Reason.SECRET_NAME_TAKEN)
    assert key_of(kubectl, f"{name}-verification") == "mine"


def test_tokens_of_the_cluster_cannot_be_carried_out(
    kubectl: Kubectl, subscriber: Target, name: str
) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    token = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {
            "name": name,
            "annotations": {"kubernetes.io/service-account.name": name},
        },
    }
    kubectl.apply(account, token)
    bearer = {"bearer": {"token": {"secretKeyRef": {"name": name, "key": "token"}}}}
    aim = {"target": {"url": subscriber.url, "authentication": bearer}}
    kubectl.apply(
        endpoint(name),
        subscription(name, [name], subscriber.url)
        | {"spec": {"endpointRefs": [{"name": name}], **aim}},
    )
    refused(kubectl, "whs", name, ConditionType.SECRETS_RESOLVED, Reason.SECRET_NOT_ALLOWED)


def test_the_operators_own_secrets_cannot_be_referred_to(
    kubectl: Kubectl, subscriber: Target, name: str
) -> None:
    for own, key in (("default-encryption", "outbound"), ("database", "dsn")):
        ref = {"secretKeyRef": {"name": own, "key": key}}
        kubectl.apply(endpoint(name, provider="GitHub", verification={"keys": [ref]}))
        refused(kubectl, "whe", name, ConditionType.SECRETS_RESOLVED, Reason.SECRET_NOT_ALLOWED)


def test_a_secret_that_a_gateway_names_is_its_own_from_then_on(kubectl: Kubectl, name: str) -> None:
    """Whether that gateway works or not."""
    kubectl.apply(secret(f"{name}-db", dsn="no address of any database"))
    ref = {"secretKeyRef": {"name": f"{name}-db", "key": "dsn"}}
    kubectl.apply(endpoint(name, provider="GitHub", verification={"keys": [ref]}))
    wait_ready(kubectl, "whe", name)
    kubectl.apply(made("WebhookGateway", name, {"store": {"postgresql": {"dsn": ref}}}))
    message = refused(
        kubectl, "whe", name, ConditionType.SECRETS_RESOLVED, Reason.SECRET_NOT_ALLOWED
    )
    assert "the way into a database" in message
    kubectl.run("delete", "whg", name)


def test_a_header_that_is_not_stored_is_told_until_the_endpoint_names_it(
    kubectl: Kubectl, subscriber: Target, name: str
) -> None:
    target = {"target": {"url": subscriber.url, "forwardHeaders": ["X-Tenant"]}}
    kubectl.apply(endpoint(name), subscription(name, [name], "", **target))
    found = wait_ready(kubectl, "whs", name)
    missing = condition(found, ConditionType.HEADERS_MISSING)
    assert (missing["status"], missing["reason"]) == ("True", Reason.HEADER_NOT_STORED)
    assert missing["message"] == (
        'spec.target.forwardHeaders[0]: the header "X-Tenant" is not stored with the events of '
        f'WebhookEndpoint "{name}"; name it in spec.storeHeaders there'
    )
    assert "looks like a credential" in kubectl.refused(endpoint(name, storeHeaders=["X-Token"]))
    key = {"secretKeyRef": {"name": name, "key": "key"}}
    verified = {"apiKey": {"header": "X-Caller", "keys": [key]}}
    kubectl.apply(endpoint(name, verification=verified, storeHeaders=["X-Caller"]))
    message = refused(kubectl, "whe", name, ConditionType.ACCEPTED, Reason.INVALID)
    assert message.startswith('spec.storeHeaders[0]: "X-Caller" is what requests are verified by')
    kubectl.apply(endpoint(name, storeHeaders=["X-Tenant"]))
    wait_ready(kubectl, "whe", name)
    found = kubectl.until("whs", name, lambda x: not condition(x, ConditionType.HEADERS_MISSING))
    assert is_ready(found)


def test_a_gateway_may_want_secrets_to_be_labelled(
    kubectl: Kubectl, subscriber: Target, name: str
) -> None:
    """What was in force before goes on, and what is generated needs no label."""
    pair(kubectl, name, subscriber)
    sending = f"{name}-sends"
    bearer = {"bearer": {"token": {"secretKeyRef": {"name": sending, "key": "token"}}}}
    target = {"target": {"url": subscriber.url, "authentication": bearer}}
    kubectl.apply(secret(sending, token="t" * 16), subscription(sending, [name], "", **target))
    wait_ready(kubectl, "whs", sending)
    want_labels(kubectl, "Labelled")
    try:
        message = refused(
            kubectl, "whs", sending, ConditionType.SECRETS_RESOLVED, Reason.SECRET_NOT_ALLOWED
        )
        assert f'"{sending}" has no label hookplane.dev/allow-reference: "true"' in message
        for kind in ("whe", "whs"):
            wait_ready(kubectl, kind, name)
        kubectl.run("label", "secret", sending, "hookplane.dev/allow-reference=true")
        wait_ready(kubectl, "whs", sending)
    finally:
        want_labels(kubectl, "All")


def want_labels(kubectl: Kubectl, which: str) -> None:
    """The gateway lets objects refer to these Secrets."""
    spec = json.dumps({"spec": {"allowedSecrets": {"from": which}}})
    kubectl.run("patch", "whg", "default", "--type=merge", "-p", spec)


def test_rotation_by_annotation_keeps_the_old_key_for_a_while(
    kubectl: Kubectl, subscriber: Target, name: str, place: Installation
) -> None:
    pair(kubectl, name, subscriber)
    url = kubectl.get("whe", name)["status"]["url"]
    old = key_of(kubectl, f"{name}-verification")
    kubectl.run("annotate", "whe", name, "hookplane.dev/rotate=1")
    until(lambda: key_of(kubectl, f"{name}-verification") != old, "another key")
    assert key_of(kubectl, f"{name}-verification", "previous") == old
    assert kubectl.get("whe", name)["status"]["url"] == url
    until(lambda: post(kubectl, place.pods, name, "m1") in (200, 202, 204), "the new key to work")
    again = key_of(kubectl, f"{name}-verification")
    kubectl.run("label", "whe", name, "a=b")
    place.settle()
    assert key_of(kubectl, f"{name}-verification") == again


def test_a_deleted_endpoint_answers_404_and_what_it_accepted_is_delivered(
    place: Installation, kubectl: Kubectl, subscriber: Target, name: str
) -> None:
    backlog(place, name, subscriber, 3)
    kubectl.run("delete", "whe", name)
    until(lambda: post(kubectl, place.pods, name, "late") == 404, "404")
    subscriber.status = 200
    until(lambda: len(subscriber.taken(f"/{name}")) == 3, "what was accepted")
    refused(kubectl, "whs", name, ConditionType.ENDPOINTS_RESOLVED, Reason.ENDPOINT_NOT_FOUND)


def test_an_endpoint_made_again_keeps_its_key(kubectl: Kubectl, name: str) -> None:
    kubectl.apply(endpoint(name))
    wait_ready(kubectl, "whe", name)
    key = key_of(kubectl, f"{name}-verification")
    kubectl.run("delete", "whe", name)
    kubectl.apply(endpoint(name))
    wait_ready(kubectl, "whe", name)
    assert key_of(kubectl, f"{name}-verification") == key


def test_a_subscription_that_is_replaced_delivers_its_backlog(
    place: Installation, kubectl: Kubectl, subscriber: Target, name: str
) -> None:
    """As `kubectl replace --force` does it, and Argo CD with `Replace=true,Force=true`."""
    backlog(place, name, subscriber, 10)
    until(lambda: len(subscriber.arrivals) > 10, "retries")
    wanted = subscription(name, [name], f"{subscriber.url}/{name}", delivery=QUICK)
    kubectl.run("replace", "--force", "-f", "-", given=yaml.safe_dump(wanted))
    wait_ready(kubectl, "whs", name)
    subscriber.status = 200
    until(lambda: len(subscriber.taken(f"/{name}")) == 10, "the backlog")
    found = kubectl.until("whs", name, lambda x: x["status"]["delivery"].get("delivered") == 10)
    assert found["status"]["delivery"].get("expired", 0) == 0


def test_what_was_deleted_and_is_applied_again_goes_on(
    place: Installation, kubectl: Kubectl, subscriber: Target, name: str
) -> None:
    """The subscription comes back first, when the operator has noticed that all is gone."""
    backlog(place, name, subscriber, 5)
    kubectl.run("delete", f"whe/{name}", f"whs/{name}")
    until(lambda: post(kubectl, place.pods, name, "late") == 404, "404")
    kubectl.apply(subscription(name, [name], f"{subscriber.url}/{name}", delivery=QUICK))
    refused(kubectl, "whs", name, ConditionType.ENDPOINTS_RESOLVED, Reason.ENDPOINT_NOT_FOUND)
    kubectl.apply(endpoint(name))
    wait_ready(kubectl, "whs", name)
    subscriber.status = 200
    until(lambda: len(subscriber.taken(f"/{name}")) == 5, "the backlog")
    assert post(kubectl, place.pods, name, "m0") in (200, 202, 204)  # it is known already
    assert post(kubectl, place.pods, name, "m5") in (200, 202, 204)
    until(lambda: len(subscriber.taken(f"/{name}")) == 6, "what came later")


def test_a_generated_secret_goes_a_day_after_its_object(
    place: Installation, kubectl: Kubectl, name: str
) -> None:
    kubectl.apply(endpoint(name), endpoint(f"{name}-other"))
    wait_ready(kubectl, "whe", name)
    wait_ready(kubectl, "whe", f"{name}-other")
    kubectl.run("delete", "whe", name)
    orphan = f"select 1 from hookplane.orphan where name = '{name}-verification'"  # noqa: S608
    until(lambda: place.sql(orphan), "the note that it is to go")
    assert kubectl.find("secret", f"{name}-verification") is not None
    place.sql("update hookplane.orphan set due = 1 returning 1")
    kubectl.run("delete", "whe", f"{name}-other")  # a sweep looks
    until(lambda: kubectl.find("secret", f"{name}-verification") is None, "the deletion")
    assert kubectl.find("secret", f"{name}-other-verification") is not None


def test_a_replay_runs_once(
    place: Installation, kubectl: Kubectl, subscriber: Target, name: str
) -> None:
    pair(kubectl, name, subscriber)
    post(kubectl, place.pods, name, "m1")
    until(lambda: subscriber.taken(f"/{name}"), "the delivery")
    events = {"from": "2026-01-01T00:00:00Z", "states": ["Delivered"]}
    kubectl.apply(
        made("WebhookReplay", name, {"subscriptionRef": {"name": name}, "events": events})
    )
    found = kubectl.until("whr", name, lambda x: x.get("status", {}).get("state") == "Complete")
    assert found["status"]["matched"] == found["status"]["delivered"] == 1
    again = until(lambda: subscriber.taken(f"/{name}")[1:], "the second delivery")
    assert len({x.headers["webhook-id"] for x in subscriber.taken(f"/{name}")}) == 1
    assert len(again) == 1


def test_a_replay_that_has_ended_goes_when_its_time_is_over(
    place: Installation, kubectl: Kubectl, subscriber: Target, name: str
) -> None:
    pair(kubectl, name, subscriber)
    ref = {"subscriptionRef": {"name": name}}
    events = {"ids": ["evt_" + "0" * 26]}
    kubectl.apply(made("WebhookReplay", name, ref | {"events": events}))
    found = kubectl.until("whr", name, lambda x: x.get("status", {}).get("state") == "Complete")
    assert found["status"]["notFound"] == 1
    keep = '{"spec":{"ttlSecondsAfterFinished":1}}'
    kubectl.run("patch", "whr", name, "--type=merge", "-p", keep)
    until(lambda: kubectl.find("whr", name) is None, "the deletion")


NO_IMAGE = "nowhere.example/none:1"


def test_drift_is_healed(kubectl: Kubectl, place: Installation) -> None:
    kubectl.until("whg", "default", is_ready)
    kubectl.run("set", "image", "deployment/default-receiver", f"*={NO_IMAGE}")
    kubectl.until("deployment", "default-receiver", lambda x: NO_IMAGE not in str(x["spec"]))
    kubectl.run("delete", "service", "default-receiver")
    kubectl.until("service", "default-receiver", lambda _: True)
    mounts = '{"automountServiceAccountToken": true}'
    kubectl.run("patch", "serviceaccount", "default-receiver", "--type=merge", "-p", mounts)
    kubectl.until(
        "serviceaccount", "default-receiver", lambda x: not x["automountServiceAccountToken"]
    )
    kubectl.run("patch", "whg", "default", "--type=merge", "-p", '{"spec":{"publicURL":null}}')
    kubectl.until("whg", "default", lambda x: x["spec"].get("publicURL") is not None)


EXAMPLES = sorted(x for x in (ROOT / "examples").rglob("*.yaml") if x.name != "gateway.yaml")


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda x: x.name)
def test_examples_are_ready_within_seconds(kubectl: Kubectl, file: Path) -> None:
    objects = [x for x in yaml.safe_load_all(file.read_text()) if x]
    objects = [x for x in objects if x["kind"] != "WebhookGateway"]
    for one in objects:
        one["metadata"].pop("namespace", None)
        target_of = one.get("spec", {}).get("target", {})
        if "127.0.0.1" in target_of.get("url", ""):
            target_of["url"] = "https://shop.example.com/orders"
        if "serviceRef" in target_of:
            spec = {"selector": {"app": "bot"}, "ports": [{"port": 8080}]}
            service = {"apiVersion": "v1", "kind": "Service"}
            kubectl.apply(
                {**service, "metadata": {"name": target_of["serviceRef"]["name"]}, "spec": spec}
            )
    prepare(kubectl, file.name)
    kubectl.apply(*objects)
    for one in objects:
        kind, name = one["kind"], one["metadata"]["name"]
        if kind.startswith("Webhook") and name not in ELSEWHERE:
            wait_ready(kubectl, kind, name)


ELSEWHERE = frozenset({"partner-erp"})
"""Its gateway must end TLS: test_tls.py."""


def prepare(kubectl: Kubectl, file: str) -> None:
    """What the first lines of an example say it needs."""
    if file == "payments.yaml":
        authority = Authority("ledger")
        own = authority.client("hookplane")
        kubectl.apply(
            secret(
                "ledger-tls",
                **{
                    "tls.crt": own.certificate.decode(),
                    "tls.key": own.key.decode(),
                    "ca.crt": authority.certificate.decode(),
                },
            )
        )
    if file == "replay.yaml":
        outgoing = (ROOT / "examples").rglob("outgoing.yaml")
        kubectl.apply(*[x for x in yaml.safe_load_all(next(outgoing).read_text()) if x])


def test_secrets_are_nowhere_to_be_seen(place: Installation, kubectl: Kubectl, name: str) -> None:
    canary = "canary-0f9d3c1e7a"
    kubectl.apply(
        secret(name, key=canary),
        endpoint(
            name,
            provider="GitHub",
            verification={"keys": [{"secretKeyRef": {"name": name, "key": "key"}}]},
        ),
    )
    wait_ready(kubectl, "whe", name)
    shown = kubectl.run("get", "whe,whs,whg,whr,deploy,cm,events", "-o", "json")
    assert canary not in shown
    assert canary not in place.operator.output() + place.pods.output()
    assert canary not in json.dumps(place.operator.metrics())
