"""`hookplane test`: what becomes of an event, without a plane."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hookplane_cli.main import main

MANIFESTS = """
apiVersion: v1
kind: Secret
metadata: {name: shop}
stringData:
  hook: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
  url: https://crm.example.com/hooks/only-for-us
  token: only-for-us
---
apiVersion: hookplane.dev/v1alpha1
kind: WebhookEndpoint
metadata: {name: orders}
spec:
  verification: {keys: [{secretKeyRef: {name: shop, key: hook}}], SOURCES}
  key: {bodyPath: data.customer}
  storeHeaders: [X-Region]
---
apiVersion: hookplane.dev/v1alpha1
kind: WebhookSubscription
metadata: {name: crm}
spec:
  endpointRefs: [{name: orders}]
  SPEC
"""
PUBLIC = "target: {url: 'https://crm.example.com/hooks'}"


def write(folder: Path, spec: str = PUBLIC, sources: str = "") -> Path:
    file = folder / "shop.yaml"
    file.write_text(MANIFESTS.replace("SPEC", spec).replace(", SOURCES", sources))
    return file


def run(file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["test", "-f", str(file), "orders", *arguments])


def found(file: Path, *arguments: str) -> dict[str, Any]:
    result = run(file, "--json", *arguments)
    outcome: dict[str, Any] = json.loads(result.stdout)
    return outcome


def test_each_step_is_shown(tmp_path: Path) -> None:
    arguments = ("--type", "order.paid", "--key", "c-7", "--header", "X-Region: eu")
    result = run(write(tmp_path), *arguments)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "endpoint default/orders: 200 accepted"
    assert {"  type  order.paid", "  key   c-7", "  kept  x-region: eu"} <= set(lines)
    assert "subscription default/crm: Sent" in lines
    assert "  POST to crm.example.com" in lines
    assert '"customer":"c-7"' in lines[-1]


def test_a_body_of_ones_own_is_verified_and_sent_as_it_is(tmp_path: Path) -> None:
    body = '{"type": "order.paid", "data": {"customer": 7}}'
    outcome = found(write(tmp_path), "--body", body)
    assert outcome["event"]["type"] == "order.paid"
    assert outcome["event"]["key"] == "7"
    assert outcome["subscriptions"][0]["request"]["body"] == body


@pytest.mark.parametrize(
    ("spec", "fate", "message"),
    [
        (
            "filter: {types: ['user.*']}",
            "Filtered",
            'spec.filter.types has no type "order.created"',
        ),
        ("filter: {keys: [b]}", "Filtered", 'spec.filter.keys has no key "a"'),
        ("filter: {cel: 'event.key == \"b\"'}", "Filtered", "spec.filter.cel is false for it"),
        ("filter: {cel: 'event.body.none == 1'}", "Failed", "spec.filter.cel: "),
        ("transform: {cel: 'event.body.none'}", "Failed", "spec.transform: "),
        ("suspend: true", "NotReady", "it is suspended"),
    ],
)
def test_why_a_subscription_would_not_get_it(
    tmp_path: Path, spec: str, fate: str, message: str
) -> None:
    file = write(tmp_path, f"{PUBLIC}\n  {spec}")
    outcome = found(file, "--key", "a")
    (subscription,) = outcome["subscriptions"]
    assert subscription["fate"] == fate
    assert subscription["message"].startswith(message)
    assert subscription["request"] is None
    assert run(file, "--key", "a").exit_code == 0
    assert run(file, "--key", "a", "--to", "crm").exit_code == 1


def test_a_transform_is_applied(tmp_path: Path) -> None:
    file = write(tmp_path, PUBLIC + "\n  transform: {cel: '{\"about\": event.key}'}")
    (subscription,) = found(file, "--key", "a", "--to", "crm")["subscriptions"]
    assert json.loads(subscription["request"]["body"]) == {"about": "a"}


def test_what_is_secret_is_shown_nowhere(tmp_path: Path) -> None:
    spec = (
        "target: {urlFrom: {secretKeyRef: {name: shop, key: url}}, headers: "
        "[{name: X-Token, valueFrom: {secretKeyRef: {name: shop, key: token}}}]}"
    )
    file = write(tmp_path, spec)
    for arguments in ((), ("--json",)):
        result = run(file, *arguments)
        assert result.exit_code == 0, result.output
        assert "only-for-us" not in result.output
    assert "  x-token: ***" in run(file).stdout.splitlines()


def test_an_access_token_is_asked_of_nobody(tmp_path: Path) -> None:
    ref = "{name: shop, key: token}"
    spec = (
        "target: {url: 'https://crm.example.com/hooks', authentication: {oauth2: {tokenURL: "
        f"'https://id.example.com/token', clientID: us, clientSecret: {{secretKeyRef: {ref}}}}}}}}}"
    )
    (subscription,) = found(write(tmp_path, spec), "--to", "crm")["subscriptions"]
    assert ["authorization", "***"] in subscription["request"]["headers"]


def test_a_request_that_is_not_accepted_says_why(tmp_path: Path) -> None:
    result = run(write(tmp_path), "--header", "webhook-signature: v1,bm8=")
    assert result.exit_code == 1
    assert result.stdout == (
        "endpoint default/orders: 401 SignatureMismatch: signature does not match (1 key tried)\n"
    )


def test_it_comes_from_an_address_that_may_send(tmp_path: Path) -> None:
    file = write(tmp_path, sources=", sources: [203.0.113.0/24]")
    assert found(file)["statusCode"] == 200


def test_a_subscription_that_reads_something_else_is_told(tmp_path: Path) -> None:
    result = run(write(tmp_path), "--to", "ledger")
    assert result.exit_code == 1
    assert result.stderr == "default/ledger is no subscription that reads orders\n"


def test_an_endpoint_that_is_not_there_is_told_with_what_is_wrong(tmp_path: Path) -> None:
    file = write(tmp_path)
    file.write_text(file.read_text().replace("bodyPath: data.customer", "bodyPaths: x"))
    result = run(file)
    assert result.exit_code == 1
    assert "spec.key.bodyPaths" in result.stderr
    assert "there is no endpoint default/orders that could be tried" in result.stderr


def test_what_cannot_be_signed_here_is_told(tmp_path: Path) -> None:
    examples = Path(__file__).parents[3] / "examples" / "partner.yaml"
    result = CliRunner().invoke(main, ["test", "-f", str(examples), "partner-erp"])
    assert result.exit_code == 1
    assert "demands a client certificate" in result.stderr
