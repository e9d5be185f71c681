"""What `hookplane status` can tell of the manifests."""

from __future__ import annotations

import pytest

from hookplane.compile.change import ConfigDiff
from hookplane.compile.model import Problem, Severity
from hookplane.manifests.model import Finding
from hookplane_cli.commands.status import SHOWN_FINDINGS, findings_of
from hookplane_cli.local.last_load import LastLoad
from hookplane_cli.local.reload import Loaded
from hookplane_cli.local.report import CheckReport
from support.clocks.manual import ManualClock

NOW = 1_764_000_000_000


def loaded(problems: int) -> Loaded:
    problem = Problem("WebhookEndpoint", "default", "a", "spec.x", "wrong\x1b", Severity.ERROR)
    return Loaded(CheckReport((Finding(problem, "a.yaml", 5),) * problems, (), 1, 1), ConfigDiff())


@pytest.fixture
def last() -> LastLoad:
    return LastLoad(ManualClock(NOW))


def test_nothing_is_told_of_what_was_not_read_and_of_what_is_right(last: LastLoad) -> None:
    assert last.view() == {"loadedTime": None, "problems": [], "notes": [], "fault": ""}
    assert findings_of(last.view()) == []
    last.loaded(loaded(0))
    assert last.view() == {
        "loadedTime": "2025-11-24T16:00:00Z",
        "problems": [],
        "notes": [],
        "fault": "",
    }
    assert findings_of(last.view()) == []


def test_a_fault_is_told_until_a_load_comes_to_its_end(last: LastLoad) -> None:
    last.loaded(loaded(0))
    last.fault("the manifests are not in force yet: disk full")
    assert findings_of(last.view()) == ["the manifests are not in force yet: disk full"]
    last.loaded(loaded(0))
    assert findings_of(last.view()) == []


def test_problems_are_told_in_lines_that_move_no_cursor(last: LastLoad) -> None:
    last.loaded(loaded(1))
    assert findings_of(last.view()) == [
        "1 problem in the manifests; what has an error stays as it was:\n"
        "  a.yaml:5: WebhookEndpoint default/a: spec.x: wrong�"
    ]
    last.loaded(loaded(SHOWN_FINDINGS + 2))
    (text,) = findings_of(last.view())
    assert len(text.splitlines()) == SHOWN_FINDINGS + 2
    assert text.splitlines()[-1] == "  … 2 more problems"
