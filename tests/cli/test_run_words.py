"""What `hookplane run` says: banner, reloads, problems."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from hookplane.compile.change import ConfigDiff, Configured
from hookplane.compile.model import Problem, Severity
from hookplane.manifests.model import Finding
from hookplane.store.maintenance import Retention
from hookplane_cli.laptop.reload import Loaded
from hookplane_cli.report import CheckReport
from hookplane_cli.run.banner import banner
from hookplane_cli.run.settings import RunSettings
from hookplane_cli.run.tell import Teller
from support.planes.compiled import (
    NOW,
    compiled_of,
    endpoint_text,
    generated,
    subscription_text,
)

SETTINGS = RunSettings(
    sources=(Path("examples"),),
    data=Path(".hookplane"),
    listen=("127.0.0.1", 8080),
    tls=None,
    admin=("127.0.0.1", 8081),
    services={},
    public_url=None,
    trusted_proxies=(),
    allowed_ranges=(),
    retention=Retention(1, 1, 1),
    style="text",
)
COMPILED = compiled_of(
    endpoint_text(name="orders")
    + endpoint_text(
        "{provider: Stripe, verification: {keys: [{secretKeyRef: {name: s, key: k}}]}}",
        name="stripe",
    )
    + subscription_text("suspend: true, endpointRefs: [{name: orders}]", name="shop"),
    generated("orders-verification"),
    generated("shop-signing"),
)
DOCUMENTS: tuple[Configured, ...] = (*COMPILED.endpoints, *COMPILED.subscriptions)
PROBLEM = Finding(Problem("WebhookEndpoint", "default", "stripe", "spec", "wrong"), "a.yaml", 3)


class Clock:
    """Stands still."""

    def now(self) -> int:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def loaded(*problems: Finding, change: ConfigDiff | None = None) -> Loaded:
    return Loaded(CheckReport(problems, (), 3, 1), change or ConfigDiff(), wanted=COMPILED.wanted)


def teller(style: str) -> tuple[Teller, io.StringIO, io.StringIO]:
    out, errors = io.StringIO(), io.StringIO()
    return Teller(style, out, errors, Clock()), out, errors


def without_time(text: str) -> list[str]:
    return [line.partition(" ")[2] for line in text.splitlines()]


def test_the_banner() -> None:
    lines = banner(SETTINGS, DOCUMENTS, loaded(), "http://127.0.0.1:8080", "http://127.0.0.1:8081")
    assert lines[0].endswith(
        "store: .hookplane/ (SQLite)   2 endpoints, 1 subscription from examples"
    )
    assert lines[1:] == [
        "  POST http://127.0.0.1:8080/default/orders     StandardWebhooks   key: hookplane secret "
        "orders-verification",
        "  POST http://127.0.0.1:8080/default/stripe     Stripe             503: there is no "
        'Secret "s"; it is to have the key "k"',
        "  default/shop keeps its events: suspended",
        "  console http://127.0.0.1:8081",
    ]


def test_changes_are_told_by_name_without_what_is_built_in() -> None:
    speaker, out, _ = teller("text")
    speaker.loaded(loaded(change=ConfigDiff(created=DOCUMENTS[:1], deleted=COMPILED.endpoints[2:])))
    assert without_time(out.getvalue()) == ["config     new: endpoint default/orders"]


def test_a_problem_is_told_once_and_then_that_it_is_gone() -> None:
    speaker, out, _ = teller("text")
    for findings in ([PROBLEM], [PROBLEM], [], []):
        speaker.loaded(loaded(*findings))
    assert without_time(out.getvalue()) == [
        "problem    a.yaml:3: WebhookEndpoint default/stripe: spec: wrong",
        "config     no problems any more",
    ]


def test_quiet_tells_problems_alone_and_on_standard_error() -> None:
    speaker, out, errors = teller("quiet")
    speaker.ready(["banner"], {})
    speaker.loaded(loaded(PROBLEM, change=ConfigDiff(created=DOCUMENTS[:1])))
    speaker.stopping()
    assert out.getvalue() == ""
    assert without_time(errors.getvalue()) == [
        "problem    a.yaml:3: WebhookEndpoint default/stripe: spec: wrong"
    ]


@pytest.mark.parametrize(
    ("call", "event"), [("loaded", "config"), ("first", "config"), ("trouble", "trouble")]
)
def test_json_is_one_object_a_line(call: str, event: str) -> None:
    speaker, out, _ = teller("json")
    argument = "disk full" if call == "trouble" else loaded(PROBLEM)
    getattr(speaker, call)(argument)
    (line,) = out.getvalue().splitlines()
    said = json.loads(line)
    assert said["event"] == event
    if event == "config":
        assert said["problems"][0]["severity"] == Severity.ERROR
    else:
        assert said["message"] == "disk full"
