"""The layout: folders that are no packages, names that mean one thing, tests that stay outside."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE_ROOTS = ["core", "operator", "receiver", "dispatcher", "console", "cli"]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@pytest.mark.parametrize("folder", SOURCE_ROOTS)
def test_no_source_root_is_a_package(folder: str) -> None:
    # operator/__init__.py would shadow the standard library's `operator`
    assert (ROOT / folder).is_dir()
    assert not (ROOT / folder / "__init__.py").exists()


def test_tests_hold_no_packages() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


@pytest.mark.parametrize("folder", SOURCE_ROOTS)
def test_package_files_import_nothing(folder: str) -> None:
    # an import there would slip past the contracts that keep pure packages pure
    for path in (ROOT / folder).rglob("__init__.py"):
        lines = path.read_text().splitlines()
        assert not [x for x in lines if x.startswith(("import ", "from "))], path


def _classes(folder: str) -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                yield node.name, f"{path.relative_to(ROOT)}:{node.lineno}"


def test_a_class_name_means_one_thing() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for folder in SOURCE_ROOTS:
        for name, place in _classes(folder):
            places[name].append(place)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_a_number_means_one_decision() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for page in (ROOT / "docs" / "decisions").glob("*.md"):
        places[page.name.partition("-")[0]].append(page.name)
    assert {number: found for number, found in places.items() if len(found) > 1} == {}


REACHES_INSIDE = {
    "tests/core/test_lenient_json.py": "Python has no other way to say where its threads are",
    "tests/charts/conftest.py": "helm's Python binding has no other way to say which APIs exist",
}
"""Tests that use private names of other objects, and what they reach for."""


def _private_uses(path: Path) -> list[str]:
    """Uses of private attributes that the file itself does not define on `self`."""
    found = [x for x in ast.walk(ast.parse(path.read_text())) if isinstance(x, ast.Attribute)]
    private = [x for x in found if x.attr.startswith("_") and not x.attr.startswith("__")]
    own = {x.attr for x in private if ast.unparse(x.value) in ("self", "cls")}
    own |= {x.name for x in ast.walk(ast.parse(path.read_text())) if isinstance(x, FUNCTIONS)}
    return [f"{x.lineno}: {ast.unparse(x)}" for x in private if x.attr not in own]


def test_tests_use_what_is_public() -> None:
    paths = [x.relative_to(ROOT) for x in sorted((ROOT / "tests").rglob("*.py"))]
    uses = {str(x): _private_uses(ROOT / x) for x in paths if str(x) not in REACHES_INSIDE}
    assert {path: found for path, found in uses.items() if found} == {}


PATCHES_THE_PRODUCT = {
    "tests/core/compile/test_faults.py": "a fault of ours where a kind is read",
    "tests/core/store/postgres/test_migrate.py": "a migration of a version to come",
    "tests/core/store/postgres/test_partitions.py": "how many rows make a pack",
    "tests/dispatcher/test_filtering.py": "a fault of ours where CEL is evaluated",
    "tests/operator/state/test_runtime.py": "one call of a real store that fails",
    "tests/operator/status/test_collector.py": "one slow query of a real store",
    "tests/receiver/test_client_certificates.py": "counts what the TLS library is asked to verify",
}
"""Tests that replace something of the product while it runs, and why."""


def _patches(path: Path) -> list[str]:
    """Calls of `monkeypatch.setattr` but those that name a place outside the product."""
    found = []
    for call in ast.walk(ast.parse(path.read_text())):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "monkeypatch.setattr":
            target = call.args[0]
            place = target.value if isinstance(target, ast.Constant) else "hookplane"
            if str(place).startswith("hookplane"):
                found.append(f"{call.lineno}: {ast.unparse(target)}")
    return found


def test_tests_leave_the_product_as_it_is() -> None:
    paths = [x.relative_to(ROOT) for x in sorted((ROOT / "tests").rglob("*.py"))]
    patches = {str(x): _patches(ROOT / x) for x in paths}
    assert {x for x, found in patches.items() if found} == set(PATCHES_THE_PRODUCT)


SCENARIOS = {
    "tests/cli/commands/test_client_commands.py": "all client commands against one console",
    "tests/cli/commands/test_listings.py": "all commands that list, against one console",
    "tests/cli/process/test_unreadable_dsn.py": "every program that is given a database",
    "tests/cli/test_trigger_request_at_the_door.py": "samples of the CLI at the receiver's door",
    "tests/core/compile/test_examples.py": "the examples of the repository",
    "tests/core/compile/test_faults.py": "faults of ours in any compiler",
    "tests/core/crds/test_examples.py": "the examples of the repository",
    "tests/core/crds/test_kustomize.py": "the configuration for kustomize, beside the CRDs",
    "tests/core/crds/test_rules.py": "rules in CEL and in Python say the same",
    "tests/core/crds/test_structural.py": "what an API server demands of any CRD",
    "tests/core/store/conformance": "one suite over both drivers",
    "tests/core/store/postgres/test_claims.py": "claims of two processes at one moment",
    "tests/core/store/postgres/test_disk.py": "a disk that is full, and a backup",
    "tests/core/store/postgres/test_far_eras.py": "a database whose clock was far ahead",
    "tests/core/store/postgres/test_late_flush.py": "a flush that waits behind retention",
    "tests/core/store/postgres/test_locked_subscription.py": "a lock on one subscription's row",
    "tests/core/store/postgres/test_order.py": "the order of commits over all appends",
    "tests/core/store/sqlite/test_all_or_nothing.py": "a crash between statements of any write",
    "tests/core/store/sqlite/test_crash.py": "a process that is killed while it appends",
    "tests/core/store/sqlite/test_ids.py": "event ids over all logs of a file",
    "tests/core/store/test_both_drivers.py": "both drivers under the same random operations",
    "tests/dispatcher/egress/test_exchange.py": "well-behaved targets, over all of egress",
    "tests/dispatcher/egress/test_hostile_answers.py": "hostile targets, over all of egress",
    "tests/dispatcher/egress/test_real_servers.py": "servers that people run, over all of egress",
    "tests/dispatcher/egress/test_real_tls.py": "their TLS, over all of egress",
    "tests/dispatcher/egress/test_reach.py": "addresses out of bounds, over all of egress",
    "tests/dispatcher/test_concerned.py": "whole dispatchers: who is woken, and cursors of others",
    "tests/dispatcher/test_cost.py": "whole dispatchers: what an event costs, counted",
    "tests/dispatcher/test_filtering.py": "whole dispatchers: filters, transforms and headers",
    "tests/dispatcher/test_liveness.py": "whole dispatchers: no worker waits for ever",
    "tests/dispatcher/test_many_retrying.py": "whole dispatchers: more fails than memory holds",
    "tests/dispatcher/test_missing.py": "whole dispatchers: events that are not in the store",
    "tests/dispatcher/test_ordering.py": "whole dispatchers: strict order",
    "tests/dispatcher/test_ordering_by_key.py": "whole dispatchers: order by key",
    "tests/dispatcher/test_pausing.py": "whole dispatchers: when something may start",
    "tests/dispatcher/test_replaying.py": "whole dispatchers: replays",
    "tests/dispatcher/test_retrying.py": "whole dispatchers: retries",
    "tests/dispatcher/test_simulation.py": "whole dispatchers under random targets and crashes",
    "tests/dispatcher/test_surviving.py": "whole dispatchers: crashes, and stores that are away",
    "tests/dispatcher/test_wrong_clock.py": "whole dispatchers: a wall clock that leaps",
    "tests/operator/config/test_joins.py": "whose an event is, wherever rounds end",
    "tests/receiver/test_own_events.py": "the examples of docs/own-events.md",
    "tests/receiver/ingress/test_conformance.py": "what every ingress server must do on the wire",
    "tests/receiver/ingress/test_hostile_requests.py": "hostile senders, over all of ingress",
    "tests/receiver/test_providers.py": "every provider's request through the whole receiver",
}
"""Tests, or folders of them, that cross the files of a component, and what they are about.

Every other tests/COMPONENT/…/test_X.py tests the file X.py at the same place of the component.
"""


def _mirrors_a_file(test: Path) -> bool:
    component, *folders = test.relative_to(ROOT / "tests").parent.parts
    name = test.name.removeprefix("test_")
    packages = (ROOT / component).glob("hookplane*")
    return any(x.joinpath(*folders, name).is_file() for x in packages)


def _scenario(test: Path) -> str:
    """The entry of the table that a test stands under, or its own path."""
    places = [str(x.relative_to(ROOT)) for x in (test, *test.parents) if ROOT in x.parents]
    return next((x for x in places if x in SCENARIOS), places[0])


def test_tests_mirror_the_files_that_they_test() -> None:
    tests = [y for x in SOURCE_ROOTS for y in (ROOT / "tests" / x).rglob("test_*.py")]
    crossing = {_scenario(x) for x in tests if not _mirrors_a_file(x)}
    assert crossing == set(SCENARIOS)
