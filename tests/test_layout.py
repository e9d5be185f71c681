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


REACHES_INSIDE = {
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
