"""Every test that docs/faults.md names is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
TEST: Final = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def _named() -> list[tuple[str, str]]:
    return TEST.findall((ROOT / "docs/faults.md").read_text())


@pytest.mark.parametrize(("file", "name"), sorted(set(_named())))
def test_a_test_that_is_named_is_there(file: str, name: str) -> None:
    text = (ROOT / file).read_text()
    assert re.search(rf"^(?:async )?def {name}\(" if name else "def test_", text, re.MULTILINE)


def test_every_row_names_one() -> None:
    rows = [x for x in (ROOT / "docs/faults.md").read_text().splitlines() if x.startswith("| ")]
    assert [x for x in rows if not TEST.search(x) and "Shown by" not in x] == []
