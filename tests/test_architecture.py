"""What docs/architecture.md says of the structure is so: walks, places of changes, levels."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PACKAGES = ("core", "receiver", "dispatcher", "operator", "console", "cli")
MOST_ROOMS = {
    "The body of a request, to the answer": 23,
    "An event, from log to flush": 24,
    "A changed subscription, from watch to status": 28,
    "`hookplane run`, from manifests to serving": 24,
}
"""Heading of a walk → how many rooms it may pass."""

MOST_FILES = 5
"""How many a change may touch besides new ones, tests and generated ones."""


def section(heading: str) -> str:
    """The text below a heading, up to the next one."""
    _, found, rest = PAGE.partition(f"\n{heading}\n")
    assert found, heading
    return re.split(r"\n##", rest, maxsplit=1)[0]


def rooms(walk: str) -> list[str]:
    """The files that a walk passes, in order."""
    return re.findall(r"^\d+\. `([^`]+)`", section(f"### {walk}"), re.MULTILINE)


@pytest.mark.parametrize("walk", MOST_ROOMS)
def test_a_walk_passes_each_room_once_and_not_too_many(walk: str) -> None:
    passed = rooms(walk)
    assert [room for room in passed if not (ROOT / room).is_file()] == []
    assert len(passed) == len(set(passed))
    assert 10 <= len(passed) <= MOST_ROOMS[walk]


def changes() -> list[list[str]]:
    """Rows of the table of changes."""
    lines = section("## Ten changes, and where they go").splitlines()
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")][1:]


def test_there_are_ten_changes() -> None:
    assert len(changes()) == 10


@pytest.mark.parametrize("change", changes(), ids=lambda row: row[0])
def test_a_change_has_a_folder_and_touches_few_files(change: list[str]) -> None:
    _, folder, files = change
    assert (ROOT / folder.strip("`")).is_dir()
    named = re.findall(r"`([^`]+)`", files)
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert len(named) <= MOST_FILES


def test_every_folder_with_code_has_levels() -> None:
    contracts = tomllib.loads((ROOT / "contracts.toml").read_text("utf-8"))["tool"]["importlinter"]
    held = {name for contract in contracts["contracts"] for name in contract.get("containers", ())}
    folders = {
        ".".join(init.parent.relative_to(ROOT / package).parts)
        for package in PACKAGES
        for init in (ROOT / package).rglob("__init__.py")
        if len(list(init.parent.glob("*.py"))) + len(list(init.parent.glob("*/__init__.py"))) > 2
    }
    assert folders - held == set()
