"""What the pages refer to is there: files, headings, alerts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from support.kubernetes.monitoring import rules

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("charts/**/*.md")]
)
LINK: Final = re.compile(r"\]\((?!https?:)([^)\s#]*)(?:#([^)\s]+))?\)")
HEADING: Final = re.compile(r"^#+ (.*)$", re.MULTILINE)


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    found = HEADING.findall(page.read_text())
    return {re.sub(r"[^\w\- ]", "", x.lower()).replace(" ", "-") for x in found}


def _is_broken(page: Path, file: str, anchor: str) -> bool:
    there = (page.parent / file) if file else page
    if not there.exists():
        return True
    return there.suffix == ".md" and bool(anchor) and anchor not in _anchors(there)


@pytest.mark.parametrize("page", PAGES, ids=lambda x: str(x.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert [x for x in LINK.findall(page.read_text()) if _is_broken(page, *x)] == []


def test_a_decision_begins_with_its_number() -> None:
    for page in (ROOT / "docs/decisions").glob("*.md"):
        assert page.read_text().startswith(f"# {page.name.partition('-')[0]} "), page.name


def test_alerts_that_are_named_are_there() -> None:
    named = {y for x in PAGES for y in re.findall(r"\bHookplane[A-Z]\w+", x.read_text())}
    assert named - rules().keys() == set()
