"""The layout traps: folders that must not become packages."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE_ROOTS = ["core", "operator", "receiver", "dispatcher", "console", "cli"]


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
