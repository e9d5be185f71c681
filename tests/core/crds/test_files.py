"""Generated files: up to date here, written and checked elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hookplane.crds.__main__ import main
from hookplane.crds.definition import crd
from hookplane.crds.files import MARKER, drifted, generated, write
from hookplane.kinds.registry import KINDS
from support.kubernetes.crds import ROOT


def test_no_generated_file_of_this_repository_has_drifted() -> None:
    """If this fails: `make generate`."""
    assert [str(path.relative_to(ROOT)) for path in drifted(ROOT)] == []


def test_every_kind_has_a_crd_and_a_page(tmp_path: Path) -> None:
    names = {str(path.relative_to(tmp_path)) for path in generated(tmp_path)}
    assert names == {
        *(f"crds/{kind.plural}.yaml" for kind in KINDS),
        *(f"docs/spec/{kind.singular}.md" for kind in KINDS),
        "docs/spec/conditions.md",
    }


def test_the_yaml_says_what_the_definition_says_without_anchors(tmp_path: Path) -> None:
    write(tmp_path)
    for kind in KINDS:
        text = (tmp_path / "crds" / f"{kind.plural}.yaml").read_text(encoding="utf-8")
        assert yaml.safe_load(text) == crd(kind)
        assert "&id" not in text


def test_writing_twice_changes_nothing(tmp_path: Path) -> None:
    assert len(write(tmp_path)) == 9
    assert write(tmp_path) == []


def test_a_head_written_by_hand_stays(tmp_path: Path) -> None:
    write(tmp_path)
    page = tmp_path / "docs" / "spec" / "webhookreplay.md"
    generated_part = page.read_text(encoding="utf-8").partition(MARKER)[2]
    page.write_text(f"# Mine\n\n{MARKER}\nold\n", encoding="utf-8")
    assert write(tmp_path) == [page]
    assert page.read_text(encoding="utf-8") == f"# Mine\n\n{MARKER}{generated_part}"


def test_check_names_what_drifted_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([]) == 0
    assert main(["--check"]) == 0
    capsys.readouterr()
    edited = tmp_path / "crds" / "webhookreplays.yaml"
    edited.write_text("edited\n", encoding="utf-8")
    assert main(["--check"]) == 1
    assert capsys.readouterr().out == "drifted: crds/webhookreplays.yaml\n"
    assert edited.read_text(encoding="utf-8") == "edited\n"
