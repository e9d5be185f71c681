"""What `hookplane run` says about itself: reloads, problems, faults."""

from __future__ import annotations

import io
import json

import pytest

from hookplane.compile.change import ConfigDiff, Configured
from hookplane.compile.model import Problem, Severity
from hookplane.manifests.model import Finding
from hookplane_cli.all_in_one.announcer import Announcer
from hookplane_cli.local.reload import Loaded
from hookplane_cli.local.report import CheckReport
from support.clocks.manual import ManualClock
from support.planes.compiled import (
    NOW,
    compiled_of,
    endpoint_text,
    generated,
    subscription_text,
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


NOTE = Finding(
    Problem("WebhookEndpoint", "default", "orders", "spec", "good to know", Severity.NOTE),
    "a.yaml",
    9,
)


def loaded(
    *problems: Finding, change: ConfigDiff | None = None, notes: tuple[Finding, ...] = ()
) -> Loaded:
    report = CheckReport(problems, notes, 3, 1)
    return Loaded(report, change or ConfigDiff(), wanted=COMPILED.wanted)


def announcer(style: str) -> tuple[Announcer, io.StringIO, io.StringIO]:
    out, errors = io.StringIO(), io.StringIO()
    return Announcer(style, out, errors, ManualClock(NOW)), out, errors


def without_time(text: str) -> list[str]:
    return [line.partition(" ")[2] for line in text.splitlines()]


def test_changes_are_told_by_name_without_what_is_built_in() -> None:
    speaker, out, _ = announcer("text")
    speaker.loaded(loaded(change=ConfigDiff(created=DOCUMENTS[:1], deleted=COMPILED.endpoints[2:])))
    assert without_time(out.getvalue()) == ["config     new: endpoint default/orders"]


def test_a_problem_is_told_once_and_then_that_it_is_gone() -> None:
    speaker, out, _ = announcer("text")
    for findings in ([PROBLEM], [PROBLEM], [], []):
        speaker.loaded(loaded(*findings))
    assert without_time(out.getvalue()) == [
        "problem    a.yaml:3: WebhookEndpoint default/stripe: spec: wrong",
        "config     no problems any more",
    ]


def test_a_note_is_told_once_also_when_it_comes_with_a_change() -> None:
    speaker, out, _ = announcer("text")
    for notes in ((), (NOTE,), (NOTE,)):
        speaker.loaded(loaded(notes=notes))
    (line,) = without_time(out.getvalue())
    assert line.startswith("note       a.yaml:9: WebhookEndpoint default/orders: spec: good to")
    quiet, _, errors = announcer("quiet")
    quiet.loaded(loaded(notes=(NOTE,)))
    assert errors.getvalue() == ""


def test_what_was_told_at_the_start_is_not_told_again() -> None:
    speaker, out, _ = announcer("text")
    speaker.first(loaded(PROBLEM, notes=(NOTE,)))
    told = out.getvalue()
    assert str(PROBLEM) in told
    assert str(NOTE) in told
    speaker.loaded(loaded(PROBLEM, notes=(NOTE,)))
    assert out.getvalue() == told


def test_quiet_tells_problems_alone_and_on_standard_error() -> None:
    speaker, out, errors = announcer("quiet")
    speaker.ready(["banner"], {})
    speaker.loaded(loaded(PROBLEM, change=ConfigDiff(created=DOCUMENTS[:1])))
    speaker.stopping()
    assert out.getvalue() == ""
    assert without_time(errors.getvalue()) == [
        "problem    a.yaml:3: WebhookEndpoint default/stripe: spec: wrong"
    ]


@pytest.mark.parametrize(
    ("call", "event"), [("loaded", "config"), ("first", "config"), ("fault", "trouble")]
)
def test_json_is_one_object_a_line(call: str, event: str) -> None:
    speaker, out, _ = announcer("json")
    argument = "disk full" if call == "fault" else loaded(PROBLEM)
    getattr(speaker, call)(argument)
    (line,) = out.getvalue().splitlines()
    said = json.loads(line)
    assert said["event"] == event
    if event == "config":
        assert said["problems"][0]["severity"] == Severity.ERROR
    else:
        assert said["message"] == "disk full"
