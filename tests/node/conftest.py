"""One cluster and one release for all tests of this folder, and their figures at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.node.figures import FIGURES, LEDGERS
from support.node.real import Cluster, real_cluster
from support.node.release import Release, installed
from support.node.tenant import Tenant, tenant

FIRST = "test_first_day.py"
_REPORT = "HOOKPLANE_E2E_REPORT"
"""A file that gets the figures and ledgers as JSON."""


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with real_cluster() as made:
        yield made


@pytest.fixture(scope="session")
def release(cluster: Cluster) -> Iterator[Release]:
    """Installed and settled."""
    with installed(cluster) as made:
        made.install()
        made.settle()
        yield made


@pytest.fixture
def shop(release: Release) -> Iterator[Tenant]:
    """A tenant whose events flow from a sender to a subscriber."""
    with tenant(release.cluster) as made:
        made.run_subscriber()
        made.flow(maxInFlight=32, retry={"schedule": ["1s"] * 20})
        made.run_sender("orders", "orders-verification")
        yield made


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first day comes first: its first delivery is counted from the installation."""
    items.sort(key=lambda item: item.path.name != FIRST)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Logs of the node go with a failure."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    made = getattr(item, "funcargs", {}).get("release")
    if report.failed and made is not None:
        report.sections.append(("cluster", made.describe()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FIGURES or LEDGERS:
        terminalreporter.section("what was measured")
    for name, figure in FIGURES.items():
        terminalreporter.write_line(f"{name:<60} {figure}")
    for ledger in LEDGERS:
        terminalreporter.write_line(ledger.line())
    if file := os.environ.get(_REPORT):
        found = {"figures": FIGURES, "ledgers": [x.__dict__ for x in LEDGERS]}
        Path(file).write_text(json.dumps(found, indent=2))
