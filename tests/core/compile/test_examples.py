"""The examples, compiled: each alone and all together."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookplane.compile.model import Compiled, Severity
from hookplane.compile.resources import compile_resources
from hookplane.manifests.files import read_files
from hookplane.manifests.read import read_manifests
from support.planes.compiled import NOW, cluster

EXAMPLES = Path(__file__).parents[3] / "examples"


def compiled(*paths: Path) -> Compiled:
    manifests = read_manifests(read_files(paths))
    return compile_resources(manifests.resources, manifests.secrets, cluster(), now=NOW)


@pytest.mark.parametrize("example", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda path: path.name)
def test_nothing_is_wrong_with_an_example_but_what_its_first_lines_say(example: Path) -> None:
    problems = compiled(example).problems
    assert [x for x in problems if x.severity is Severity.ERROR or x.absent is None] == []


def test_together_they_need_two_secrets_and_nothing_else() -> None:
    absent = {x.absent.name for x in compiled(EXAMPLES).problems if x.absent is not None}
    assert absent == {"partner-erp", "ledger-tls"}


def test_compiling_is_repeatable() -> None:
    assert compiled(EXAMPLES) == compiled(EXAMPLES)
